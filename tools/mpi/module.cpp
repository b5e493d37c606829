#include "module.hpp"

#include <mpi.h>

namespace {

void send(const char* bytes, int size, int to) {
  MPI_Send(bytes, size, MPI_BYTE, to, 0, MPI_COMM_WORLD);
}

int probe(bool wait, int* from) {
  MPI_Status status;
  int there = 1, size = 0;
  if (wait)
    MPI_Probe(MPI_ANY_SOURCE, 0, MPI_COMM_WORLD, &status);
  else
    MPI_Iprobe(MPI_ANY_SOURCE, 0, MPI_COMM_WORLD, &there, &status);
  if (there == 0) return -1;
  MPI_Get_count(&status, MPI_BYTE, &size);
  *from = status.MPI_SOURCE;
  return size;
}

void receive(char* bytes, int size, int from) {
  MPI_Recv(bytes, size, MPI_BYTE, from, 0, MPI_COMM_WORLD, MPI_STATUS_IGNORE);
}

void finish() {
  MPI_Finalize();
}

}  // namespace

OrreryMpi orrery_start_mpi() {
  OrreryMpi mpi{0, 1, send, probe, receive, finish};
  int threads = 0;
  MPI_Init_thread(nullptr, nullptr, MPI_THREAD_FUNNELED, &threads);
  MPI_Comm_rank(MPI_COMM_WORLD, &mpi.rank);
  MPI_Comm_size(MPI_COMM_WORLD, &mpi.processes);
  return mpi;
}
