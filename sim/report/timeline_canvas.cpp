#include "timeline_canvas.hpp"

#include <fmt/format.h>

#include <iterator>

#include "format.hpp"
#include "orrery/program/builder.hpp"
#include "run_charts.hpp"
#include "trace_slices.hpp"

namespace orrery::report {
namespace {

constexpr std::size_t kMostBars = 60'000;

// Passes [start, length, name, stage, micro-batch] and waits [start, length, name], ns; names are indices.
class Data {
 public:
  std::string of(const RunResult& run) {
    const SliceSource source(run, TraceDetail::stage);
    const std::vector<program::DeviceIndex> devices = one_a_stage(run);
    const auto waits = engine::waits_of(run.program, run.timeline, devices);
    std::string rows;
    for (std::size_t i = 0; i < devices.size() && bars_ < kMostBars; ++i) {
      const program::Device& device = run.program.devices[devices[i]];
      std::string passes, idle;
      for (const Slice& s : slices_of(source, devices[i], waits[i]).slices) {
        if (s.track == kPasses) add_pass(run.program, s, passes);
        if (s.track == kWaits) add(s, idle), idle += "]";
      }
      rows += fmt::format("{}{{\"n\":\"stage {} · rank {}\",\"p\":[{}],\"w\":[{}]}}", rows.empty() ? "" : ",\n",
                          device.pipeline_rank(), device.ranks.front(), passes, idle);
    }
    std::string names;
    for (const std::string_view name : names_) names += fmt::format("{}\"{}\"", names.empty() ? "" : ",", name);
    return fmt::format("{{\"end\":{},\"names\":[{}],\"rows\":[{}]}}", run.timeline.makespan.value / 1000, names, rows);
  }

 private:
  std::size_t index(std::string_view name) {
    std::size_t i = 0;
    while (i < names_.size() && names_[i] != name) ++i;
    if (i == names_.size()) names_.push_back(name);
    return i;
  }
  void add(const Slice& s, std::string& into) {
    ++bars_;
    fmt::format_to(std::back_inserter(into), "{}[{},{},{}", into.empty() ? "" : ",", s.start, s.end - s.start,
                   index(s.name));
  }
  void add_pass(const program::Program& program, const Slice& s, std::string& into) {
    add(s, into);
    const program::Operation& op = program.operations[s.operation];
    if (op.micro_batch >= 0 && op.stage >= 0)
      fmt::format_to(std::back_inserter(into), ",{},{}", op.stage, op.micro_batch);
    into += "]";
  }
  std::vector<std::string_view> names_;
  std::size_t bars_ = 0;
};

}  // namespace

std::string timeline_html(const RunResult& run) {
  return fmt::format(
      "<p class=\"note\">Wheel or pinch to zoom, drag to move, double click for the whole; below each row are the "
      "waits. `--trace FILE.json.gz` has every rank and kernel.</p>\n<canvas id=\"timeline\" role=\"img\" "
      "aria-label=\"Timeline of the step, a row a stage\" tabindex=\"0\"></canvas>\n<div id=\"hover\" "
      "role=\"status\"></div>\n<script type=\"application/json\" id=\"bars\">{}</script>\n",
      Data().of(run));
}

std::string timeline_script() {
  return R"js(<script>
(() => {
const canvas = document.getElementById('timeline'), hover = document.getElementById('hover');
const data = JSON.parse(document.getElementById('bars').textContent), rows = data.rows, ROW = 26, LEFT = 116, AXIS = 20;
const colour = {F: '#4477aa', B: '#228833', I: '#66ccee', W: '#ccbb44', X: '#aa3377', bubble: '#bbbbbb'};
const of = n => colour[n] || (n.startsWith('wait for host') ? '#888888' : n.startsWith('wait') ? '#ee8866' : '#994455');
let from = 0, to = data.end, drag = null;
const css = name => getComputedStyle(document.documentElement).getPropertyValue(name).trim();
const time = ns => ns >= 1e9 ? (ns / 1e9).toPrecision(4) + ' s' : ns >= 1e6 ? (ns / 1e6).toPrecision(4) + ' ms' : (ns / 1e3).toPrecision(4) + ' µs';
const width = () => canvas.clientWidth - LEFT;
const x = ns => LEFT + (ns - from) / (to - from) * width();
const first = bars => { let lo = 0, hi = bars.length; while (lo < hi) { const m = lo + hi >> 1; bars[m][0] + bars[m][1] < from ? lo = m + 1 : hi = m; } return lo; };
function bars(g, list, y, h) {
  let last = -1, name = -1;
  for (let i = first(list); i < list.length && list[i][0] <= to; ++i) {
    const b = list[i], x0 = Math.max(LEFT, x(b[0])), x1 = x(b[0] + b[1]);
    if (x1 < last + 0.5 && b[2] === name) continue;
    g.fillStyle = of(data.names[b[2]]);
    g.fillRect(x0, y, Math.max(0.6, x1 - x0 - (x1 - x0 > 4 ? 1 : 0)), h);
    if (x1 - x0 > 26 && b.length > 3) { g.fillStyle = '#ffffff'; g.fillText(data.names[b[2]] + b[4], x0 + 3, y + h - 5); }
    last = x1; name = b[2];
  }
}
function draw() {
  const ratio = window.devicePixelRatio || 1, high = rows.length * ROW + AXIS;
  canvas.width = canvas.clientWidth * ratio; canvas.height = high * ratio; canvas.style.height = high + 'px';
  const g = canvas.getContext('2d');
  g.scale(ratio, ratio); g.font = '11px system-ui, sans-serif';
  rows.forEach((row, i) => {
    const y = i * ROW;
    g.fillStyle = css('--ink'); g.fillText(row.n, 6, y + 15);
    bars(g, row.p, y + 2, 16); bars(g, row.w, y + 19, 4);
  });
  g.fillStyle = css('--faint');
  const marks = Math.max(1, Math.min(4, Math.floor(width() / 90)));
  for (let i = 0; i <= marks; ++i) {
    const t = from + (to - from) * i / marks, label = time(t);
    g.fillText(label, Math.min(canvas.clientWidth - 4 - g.measureText(label).width, x(t)), high - 6);
  }
}
function limit(a, b) { const span = Math.min(data.end, Math.max(50, b - a)); from = Math.max(0, Math.min(data.end - span, a)); to = from + span; draw(); }
function zoom(at, factor) { const ns = from + (at - LEFT) / width() * (to - from); limit(ns - (ns - from) * factor, ns + (to - ns) * factor); }
canvas.addEventListener('wheel', e => { e.preventDefault(); zoom(e.offsetX, e.deltaY > 0 ? 1.25 : 0.8); }, {passive: false});
canvas.addEventListener('dblclick', () => limit(0, data.end));
canvas.addEventListener('keydown', e => {
  const step = (to - from) / 8, mid = LEFT + width() / 2;
  if (e.key === '+') zoom(mid, 0.8); else if (e.key === '-') zoom(mid, 1.25);
  else if (e.key === 'ArrowLeft') limit(from - step, to - step); else if (e.key === 'ArrowRight') limit(from + step, to + step);
});
canvas.addEventListener('pointerdown', e => { drag = {x: e.offsetX, from, to}; canvas.setPointerCapture(e.pointerId); });
canvas.addEventListener('pointerup', () => { drag = null; });
canvas.addEventListener('pointermove', e => {
  if (drag) { const d = (e.offsetX - drag.x) / width() * (drag.to - drag.from); limit(drag.from - d, drag.to - d); return; }
  const row = rows[Math.floor(e.offsetY / ROW)], ns = from + (e.offsetX - LEFT) / width() * (to - from);
  hover.textContent = '';
  if (!row || e.offsetX < LEFT) return;
  const list = e.offsetY % ROW < 19 ? row.p : row.w, hit = list.find(b => b[0] <= ns && ns < b[0] + b[1]);
  if (hit) hover.textContent = row.n + ': ' + data.names[hit[2]] + (hit.length > 3 ? ' of micro-batch ' + hit[4] + ', stage ' + hit[3] : '') + ', ' + time(hit[1]) + ' from ' + time(hit[0]);
});
new ResizeObserver(draw).observe(canvas);
matchMedia('(prefers-color-scheme: dark)').addEventListener('change', draw);
draw();
})();
</script>
)js";
}

}  // namespace orrery::report
