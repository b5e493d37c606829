#include "trace_writer.hpp"

namespace orrery::report {

void TraceWriter::flush() {
  write_({buffer_.data(), buffer_.size()});
  buffer_.clear();
}

void TraceWriter::process(std::int64_t pid, std::int64_t position, std::string_view name) {
  event(R"({{"ph":"M","pid":{},"name":"process_name","args":{{"name":"{}"}}}})", pid, name);
  event(R"({{"ph":"M","pid":{},"name":"process_sort_index","args":{{"sort_index":{}}}}})", pid, position);
}

void TraceWriter::thread(std::int64_t pid, std::int64_t tid, std::string_view name) {
  event(R"({{"ph":"M","pid":{},"tid":{},"name":"thread_name","args":{{"name":"{}"}}}})", pid, tid, name);
  event(R"({{"ph":"M","pid":{},"tid":{},"name":"thread_sort_index","args":{{"sort_index":{}}}}})", pid, tid, tid);
}

void TraceWriter::slice(const TracePoint& at, std::int64_t end_ns, std::string_view name, std::string_view category,
                        std::string_view colour, const TraceArguments& arguments) {
  event(R"({{"ph":"X","pid":{},"tid":{},"ts":{},"dur":{},"name":"{}","cat":"{}","cname":"{}","args":{{{}}}}})", at.pid,
        at.tid, Microseconds{at.ns}, Microseconds{end_ns - at.ns}, name, category, colour, arguments.text());
}

void TraceWriter::arrow(const TracePoint& from, const TracePoint& to, std::string_view name,
                        std::string_view category) {
  const std::int64_t id = ++arrows_;
  event(R"({{"ph":"s","id":{},"pid":{},"tid":{},"ts":{},"name":"{}","cat":"{}"}})", id, from.pid, from.tid,
        Microseconds{from.ns}, name, category);
  event(R"({{"ph":"f","bp":"e","id":{},"pid":{},"tid":{},"ts":{},"name":"{}","cat":"{}"}})", id, to.pid, to.tid,
        Microseconds{to.ns}, name, category);
}

void TraceWriter::counter(std::int64_t pid, std::int64_t ns, std::string_view name, std::string_view series) {
  event(R"({{"ph":"C","pid":{},"ts":{},"name":"{}","args":{{{}}}}})", pid, Microseconds{ns}, name, series);
}

void TraceWriter::instant(const TracePoint& at, std::string_view name) {
  event(R"({{"ph":"i","s":"g","pid":{},"tid":{},"ts":{},"name":"{}"}})", at.pid, at.tid, Microseconds{at.ns}, name);
}

void TraceWriter::raw(std::string_view event_text) {
  event("{}", event_text);
}

void TraceWriter::close() {
  append("\n]}}\n");
  flush();
}

}  // namespace orrery::report
