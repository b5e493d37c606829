// What a file is, by its columns; rows of kernels and collectives one by one, and what refuses them.
#include <doctest/doctest.h>
#include <fmt/format.h>

#include "orrery/validation/validate.hpp"
#include "validation/kinds.hpp"

namespace orrery::validation::table_kinds_test {

namespace {

Report of(const std::string& text, const Options& options = {}) {
  const Result<Report> report = validate_table(text, "t.csv", options);
  REQUIRE_MESSAGE(report.ok(), (report.ok() ? std::string() : render(report.errors())));
  return *report;
}

std::string refusal(const std::string& text, const Options& options = {}) {
  const Result<Report> report = validate_table(text, "t.csv", options);
  return report.ok() ? "fine" : render(report.errors());
}

}  // namespace

TEST_CASE("a file that is of no kind, and options that go with another kind") {
  CHECK(refusal("a,b\n1,2\n") ==
        "t.csv: its columns are those of no table known here\n"
        "  help: runs: stack, layers, tp …; schedules: schedule, p, m …; collectives: collective, msg_bytes …; "
        "kernels: kernel, gpu …; flows: case … end\n");
  CHECK(refusal("") == "t.csv:1:1: is empty, it must start with a header\n");
  const std::string flows = "# one flow\n\ncase c\nlink l 1000 0\nflow f 0 1000 0 l\nend\n";
  CHECK(refusal(flows) == "fine");
  CHECK(refusal(flows, {.expected = {}, .by = {"case"}}) == "t.csv: --by goes with a table of rows only\n");
  CHECK(refusal(flows, {.expected = {}, .without = {"host"}}) == "t.csv: --without goes with a table of runs only\n");
  CHECK(refusal("kernel,gpu,efficiency\n", {.expected = {}, .without = {"host"}}) ==
        "t.csv: --without goes with a table of runs only\n");
  CHECK(refusal("kernel,gpu,efficiency\n", {.expected = "x.txt"}) ==
        "t.csv: --expected goes with a file of flows (case … end) only\n");
}

// A flow of 1000 B over a link of 1000 B/s: a second.
TEST_CASE("flows without expected completions are played all the same") {
  const Report report = of("case c\nlink l 1000 0\nflow f 0 1000 0 l\nflow g 0 500 0 l\nend\n");
  REQUIRE(report.kind == FileKind::flows);
  REQUIRE(report.rows.size() == 2);
  CHECK(report.rows[0].id == "c/f");
  // Both have half: g ends after 500 / 500 = 1 s, f has 500 B left and all of the link: 1.5 s.
  CHECK(std::get<double>(report.rows[0].figures[0].predicted) == 1.5);
  CHECK(std::get<double>(report.rows[1].figures[0].predicted) == 1.0);
  CHECK_FALSE(report.rows[0].equal.has_value());
  CHECK(report.rows[0].groups.front() == std::pair<std::string, std::string>{"case", "c"});
}

TEST_CASE("tables that nothing here predicts are counted, each row with what it would need") {
  const Report report = of("quantity,value\nr1,2\nr2,3\n");
  CHECK(report.kind == FileKind::goodput);
  REQUIRE(report.rows.size() == 2);
  CHECK(report.nothing_predicted());
  CHECK(report.rows[1].id == "2");
  CHECK(report.rows[0].why == "not simulated: what a run of many steps loses to checkpoints and failures");
  const Report named = of("id,quantity,value\nr1,2,3\n");
  CHECK(named.rows[0].id == "r1");
}

TEST_CASE("rows of kernels: what each is refused for") {
  const auto why = [](const std::string& cells) {
    return of("kernel,gpu,dtype,m,n,k,layout,seq_len,heads,qk_head_dim,peak_tflops,efficiency\n" + cells + "\n")
        .rows[0]
        .why;
  };
  CHECK(why("gemm,a100-sxm-80gb,bf16,128,128,128,TN,,,,312,0.5").empty());
  CHECK(why("gemm,a100-sxm-80gb,,128,128,128,TN,,,,,").empty());  // the peak of the GPU, nothing measured
  CHECK(why("conv,a100-sxm-80gb,bf16,1,1,1,TN,,,,312,0.5") ==
        "kernel: 'conv' is not known, allowed: gemm, attention_forward, attention_backward");
  CHECK(why("gemm,a100-sxm-80gb,int4,1,1,1,TN,,,,312,0.5") ==
        "dtype: 'int4' is not known, allowed: bf16, fp16, fp16/bf16, fp32, tf32, fp8, fp8_block, nvfp4");
  CHECK(why("attention_forward,a100-sxm-80gb,fp8,,,,,16,4,64,312,0.5") ==
        "dtype: 'fp8' is not known of attention, allowed: bf16, fp16");
  CHECK(why("gemm,a100-sxm-80gb,fp8,128,128,128,TN,,,,,0.5").ends_with(" has no fp8 arithmetic"));
  CHECK(why("gemm,a100-80,bf16,1,1,1,TN,,,,312,0.5").starts_with("unknown GPU 'a100-80'"));
  CHECK(refusal("kernel,gpu,m,n,k,efficiency\ngemm,a100-sxm-80gb,1,x,1,0.5\ngemm,a100-sxm-80gb,1,1,1,fast\n") ==
        "t.csv:2:22: n: 'x' is not a whole number from 1 to 16777216\n"
        "t.csv:3:26: efficiency: 'fast' is not a number\n");
}

TEST_CASE("rows of kernels: the efficiency is that of the FLOPs over the peak that the row says") {
  const auto rows = of("kernel,gpu,batch,m,n,k,layout,out_dtype,accumulate,peak_tflops,efficiency\n"
                       "gemm,h100-sxm-80gb,1,4096,4096,4096,TN,bf16,0,1000,\n"
                       "gemm,h100-sxm-80gb,1,4096,4096,4096,TN,bf16,0,500,\n"
                       "gemm,h100-sxm-80gb,2,4096,4096,4096,TN,bf16,0,1000,\n"
                       "gemm,h100-sxm-80gb,1,4096,4096,4096,NT,fp32,1,1000,\n"
                       "gemm,h100-sxm-80gb,1,4096,4096,4096,TN,fp8,0,1000,\n")
                        .rows;
  const auto predicted = [&](std::size_t i) { return std::get<double>(rows[i].figures[0].predicted); };
  CHECK(predicted(1) == doctest::Approx(2 * predicted(0)));
  CHECK(predicted(0) > 0.4);
  CHECK(predicted(0) < 0.989);               // 989 TFLOP/s is what an H100 has
  CHECK(predicted(2) >= predicted(0));       // one launch for twice the work
  CHECK(predicted(3) < predicted(0));        // results in fp32, read and written
  CHECK(predicted(4) > 1.2 * predicted(0));  // twice the peak in fp8
  CHECK(rows[0].what == "h100-sxm-80gb 4096×4096×4096 TN");
  CHECK(rows[0].groups.front().second == "h100-sxm-80gb gemm");
  CHECK(rows[0].id == "1");
}

// 16384² results of 4 bytes are read and written, 2 · 16384 · 4 operands of 4 bytes read, at 88 % of 3.35 TB/s.
TEST_CASE("products that add to what is there read it") {
  const auto rows = of("kernel,gpu,batch,m,n,k,layout,dtype,out_dtype,accumulate,peak_tflops,efficiency\n"
                       "gemm,h100-sxm-80gb,1,16384,16384,4,TN,tf32,fp32,1,1000,\n")
                        .rows;
  const double flops = 2.0 * 16384 * 16384 * 4, bytes = 2.0 * 4 * 16384 * 16384 + 2 * 16384 * 4 * 4;
  CHECK(flops / (1e15 * std::get<double>(rows[0].figures[0].predicted)) ==
        doctest::Approx(bytes / (0.88 * 3.35e12)).epsilon(0.006));
}

TEST_CASE("rows of collectives: what each is refused for, and what is measured where a rate is said") {
  const std::string header = "id,collective,system,cluster,nodes,gpus,msg_bytes,time_us,algbw,algorithm,protocol\n";
  const auto row = [&](const std::string& cells) { return of(header + cells + "\n").rows[0]; };
  // algbw in GB/s: 1 000 000 B at 50 GB/s are 20 us.
  CHECK(std::get<double>(row("a,all_reduce,s,dgx-h100,1,8,1000000,,50,,").figures[0].reference) ==
        doctest::Approx(20.0));
  CHECK(std::get<double>(row("a,all_reduce,s,dgx-h100,1,8,1000000,30,50,,").figures[0].reference) == 30.0);
  CHECK(row("a,all_reduce,s,dgx-h100,1,8,1000000,,,,").figures[0].reference.index() == 0);
  CHECK(row("a,all_reduce,s,dgx-h100,1,8,65536,30,,,").in_subset);
  CHECK_FALSE(row("a,all_reduce,s,dgx-h100,1,8,65535,30,,,").in_subset);
  CHECK(row("a,sendrecv,s,dgx-h100,2,2,1048576,30,,,").why.empty());
  CHECK(row("a,all_reduce,s,dgx-h100,2,16,1048576,30,,ring,ll128").what ==
        "all_reduce 1048576 B, 2 nodes, 16 GPUs, dgx-h100 ring ll128");
  CHECK(row("a,allreduce,s,dgx-h100,1,8,1000,30,,,").why == "collective: 'allreduce' is no collective known here");
  CHECK(row("a,all_reduce,s,dgx-h1000,1,8,1000,30,,,").why.starts_with("unknown cluster 'dgx-h1000'"));
  CHECK(row("a,all_reduce,s,dgx-h100,2,16,1000,30,,sparkle,").why.find("sparkle") != std::string::npos);
  CHECK(refusal("collective,msg_bytes,cluster\nall_reduce,1,dgx-h100\n") ==
        "t.csv:1:1: the column 'nodes' is missing\nt.csv:1:1: the column 'gpus' is missing\n");
  CHECK(refusal("collective,msg_bytes,cluster,nodes,gpus\nall_reduce,0,dgx-h100,1,8\n")
            .starts_with("t.csv:2:12: msg_bytes: '0' is not a whole number from 1 to 1125899906842624\n"));
}

TEST_CASE("reasons of a row are one line") {
  Diagnostic a, b;
  a.path = "layout.tensor", a.message = "is odd";
  b.message = "does not fit";
  CHECK(reason({a, b}) == "layout.tensor: is odd; does not fit");
  CHECK(reason({}).empty());
}

TEST_CASE("nearest rows: each doubling and each word counts, up to four doublings; those far down the table as well") {
  const auto nearest = [](const std::string& rows, std::size_t most) {
    const CsvTable table = *read_csv_text("id,stack,gpus,tp,model,note,step_time_s\n" + rows, "t.csv");
    const auto near = nearest_rows(table, "a", most);
    REQUIRE(near.ok());
    std::string ids;
    for (const auto& row : near->rows) ids += row[0].text + " ";
    return ids;
  };
  // b: one doubling; c: two words that differ are no configuration (note); d: a model, two; e: 16 = four doublings; f:
  // 1024 times, four at most, and a model: six.
  const std::string rows =
      "f,s,8192,1,n,x,1\ne,s,128,1,m,x,1\nd,s,8,1,n,x,1\nc,s,8,1,m,y,1\nb,s,4,1,m,x,1\na,s,8,1,m,x,1\n";
  CHECK(nearest(rows, 9) == "a c b d e f ");
  CHECK(nearest(rows, 2) == "a c b ");
  CHECK(nearest(rows, 0) == "a ");
  // However far the GPUs, four: nearer than three and another model.
  CHECK(nearest("h,s,64,1,n,x,1\ng,s,8192,1,m,x,1\na,s,8,1,m,x,1\n", 9) == "a g h ");
  CHECK(nearest("a,s,9,1,m,x,1\nb,s,,1,m,x,1\nc,s,32,1,m,x,1\nd,s,8,1,m,x,1\n", 9) == "a d b c ");  // a blank: two
  CHECK(nearest("a,s,8,1,m,x,1\nb,t,8,1,m,x,1\nc,s,8,1,m,x,\n", 9) == "a ");  // another stack; not measured
}

TEST_CASE("groups: nodes are counted up, blanks are a dash") {
  const CsvTable table = *read_csv_text("id,gpus,gpus_per_node,tp\na,17,8,\nb,16,,4\nc,3,0,4\n", "t.csv");
  std::vector<Row> rows(3);
  CHECK(group_rows_by(table, {}, rows).empty());
  CHECK(rows[0].groups.empty());
  REQUIRE(group_rows_by(table, {"nodes,tp"}, rows).empty());
  CHECK(rows[0].groups[0].second == "3 -");
  CHECK(rows[1].groups[0].second == "2 4");  // eight a node where it is not said
  CHECK(rows[2].groups[0].second == "3 4");
  const CsvTable said = *read_csv_text("id,gpus,nodes\na,17,5\n", "t.csv");
  std::vector<Row> one(1);
  REQUIRE(group_rows_by(said, {"nodes"}, one).empty());
  CHECK(one[0].groups[0].second == "5");
  CHECK(render(group_rows_by(said, {"node", "tp"}, one)) ==
        "t.csv: --by node: the table has no column 'node'\n  help: did you mean 'nodes'?\n"
        "t.csv: --by tp: the table has no column 'tp'\n  help: its columns: id, gpus, nodes\n");
}

}  // namespace orrery::validation::table_kinds_test
