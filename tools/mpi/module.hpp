// What the MPI module (module.cpp, a library of its own) gives the program: the few calls that a sweep needs. The
// program loads it only where mpirun started it, since the libraries behind MPI take longer to load than a small run to
// play.
#pragma once

extern "C" {

struct OrreryMpi {
  int rank, processes;
  void (*send)(const char* bytes, int size, int to);
  // The size of the next message and whom it is from; -1: there is none yet (never where it waits).
  int (*probe)(bool wait, int* from);
  void (*receive)(char* bytes, int size, int from);
  void (*finish)();
};

// Starts MPI; nothing but the thread that calls it may use what it returns.
OrreryMpi orrery_start_mpi();
}
