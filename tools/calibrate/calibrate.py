#!/usr/bin/env python3
"""Measure the kernels of transformer training on the GPU at hand; see README.md beside this file."""
import argparse
import csv
import datetime
import os
import statistics
import subprocess
import time
import traceback

import torch
import torch.nn.functional as F

import shapes

DEVICE = "cuda"
L2_ROTATION = 192 << 20  # bytes of operands to rotate through: more than any L2 of today


def environment():
    query = ["nvidia-smi", "--query-gpu=name,driver_version,power.limit", "--format=csv,noheader"]
    try:
        card = subprocess.run(query, capture_output=True, text=True, timeout=20).stdout.strip().splitlines()[0]
    except (OSError, IndexError, subprocess.TimeoutExpired):
        card = torch.cuda.get_device_name()
    cudnn = torch.backends.cudnn.version()
    return f"{card}; torch {torch.__version__}, CUDA {torch.version.cuda}, cuDNN {cudnn}; {datetime.date.today()}"


class Table:
    """A CSV file that is complete after each row."""

    def __init__(self, folder, name, columns):
        self.columns = columns
        self.file = open(os.path.join(folder, name), "w", newline="")
        self.file.write(f"# {environment()}\n")
        self.writer = csv.writer(self.file)
        self.writer.writerow(columns)

    def row(self, **values):
        self.writer.writerow([values.get(column, "") for column in self.columns])
        self.file.flush()


# ---- timing ----------------------------------------------------------------------------------------------------------


def replays(run, budget_s, most=60):
    """Seconds of single calls of run(), at least three, for about budget_s of device time."""
    times = []
    spent = 0.0
    while len(times) < 3 or (spent < budget_s and len(times) < most):
        start, end = torch.cuda.Event(enable_timing=True), torch.cuda.Event(enable_timing=True)
        start.record()
        run()
        end.record()
        end.synchronize()
        times.append(start.elapsed_time(end) / 1e3)
        spent += times[-1]
    return times


def seconds_of(calls, budget_s=0.03, capture=True):
    """Median device time of one call; `calls` are the same kernel on different buffers."""
    for call in calls[:2]:
        call()
    torch.cuda.synchronize()
    repeats = max(1, 8 // len(calls))
    run, count = None, len(calls) * repeats
    if capture:
        try:
            graph = torch.cuda.CUDAGraph()
            with torch.cuda.graph(graph, stream=torch.cuda.current_stream()):
                for _ in range(repeats):
                    for call in calls:
                        call()
            run = graph.replay
        except RuntimeError:
            torch.cuda.synchronize()
    if run is None:
        def run():
            for _ in range(repeats):
                for call in calls:
                    call()
    run()
    torch.cuda.synchronize()
    return statistics.median(replays(run, budget_s)) / count


def rotations(bytes_per_set, most=8):
    free = torch.cuda.mem_get_info()[0]
    wanted = -(-L2_ROTATION // max(1, bytes_per_set))
    return max(1, min(most, wanted, int(free * 0.6 // max(1, bytes_per_set))))


def normal(*shape, dtype):
    if dtype == torch.float8_e4m3fn:
        return torch.randn(*shape, device=DEVICE, dtype=torch.bfloat16).to(dtype)
    return torch.randn(*shape, device=DEVICE, dtype=dtype)


# ---- matrix products -------------------------------------------------------------------------------------------------

DTYPES = {"bf16": torch.bfloat16, "fp16": torch.float16, "tf32": torch.float32, "fp32": torch.float32,
          "fp8": torch.float8_e4m3fn}


def operands(shape, dtype):
    """A [batch,m,k] and B [batch,k,n] as views whose memory order is the layout BLAS calls TN, NN or NT."""
    batch, m, n, k, layout = shape["batch"], shape["m"], shape["n"], shape["k"], shape["layout"]
    a = normal(batch, k, m, dtype=dtype).transpose(1, 2) if layout == "NT" else normal(batch, m, k, dtype=dtype)
    b = normal(batch, n, k, dtype=dtype).transpose(1, 2) if layout == "TN" else normal(batch, k, n, dtype=dtype)
    return a, b


def gemm_call(shape, dtype):
    a, b = operands(shape, dtype)
    batch, m, n = shape["batch"], shape["m"], shape["n"]
    if shape["dtype"] == "fp8":
        one = torch.ones((), device=DEVICE)
        a, b = a[0], b[0]
        return lambda: torch._scaled_mm(a, b, scale_a=one, scale_b=one, out_dtype=torch.bfloat16, use_fast_accum=True)
    if shape["accumulate"]:  # weight gradient: fp32 C += A·B
        c = torch.zeros(m, n, device=DEVICE, dtype=torch.float32)
        a, b = a[0], b[0]
        return lambda: torch.addmm(c, a, b, out_dtype=torch.float32, out=c)
    c = torch.empty(batch, m, n, device=DEVICE, dtype=dtype)
    if batch > 1:
        return lambda: torch.bmm(a, b, out=c)
    a, b, c = a[0], b[0], c[0]
    return lambda: torch.mm(a, b, out=c)


def accumulate_call_without_out(shape, dtype):
    a, b = operands(shape, dtype)
    a, b = a[0], b[0]
    c = torch.zeros(shape["m"], shape["n"], device=DEVICE, dtype=torch.float32)
    return lambda: torch.addmm(c, a, b, out_dtype=torch.float32)


def measure_gemm(shape):
    dtype = DTYPES[shape["dtype"]]
    torch.backends.cuda.matmul.allow_tf32 = shape["dtype"] == "tf32"
    size = dtype.itemsize
    batch, m, n, k = shape["batch"], shape["m"], shape["n"], shape["k"]
    bytes_per_set = batch * (size * (m * k + k * n) + (4 if shape["accumulate"] else max(size, 2)) * m * n)
    sets = rotations(bytes_per_set)
    try:
        return seconds_of([gemm_call(shape, dtype) for _ in range(sets)])
    except (RuntimeError, TypeError):
        if not shape["accumulate"]:
            raise
        return seconds_of([accumulate_call_without_out(shape, dtype) for _ in range(sets)])


def run_gemm(table, gpu, quick):
    for index, shape in enumerate(shapes.gemms()):
        if quick and index % 10:
            continue
        try:
            seconds = measure_gemm(shape)
        except (RuntimeError, TypeError) as error:
            print("gemm", shape, "failed:", str(error).splitlines()[0])
            torch.cuda.synchronize()
            continue
        peak = shapes.PEAKS[gpu][shape["dtype"]]
        flops = 2.0 * shape["batch"] * shape["m"] * shape["n"] * shape["k"]
        out = "fp32" if shape["accumulate"] or shape["dtype"] in ("tf32", "fp32") else "bf16"
        table.row(kernel="gemm", gpu=gpu, batch=shape["batch"], m=shape["m"], n=shape["n"], k=shape["k"],
                  layout=shape["layout"], accumulate=int(shape["accumulate"]), out_dtype=out, dtype=shape["dtype"],
                  peak_tflops=peak, efficiency=f"{flops / seconds / peak / 1e12:.5f}", seconds=f"{seconds:.4e}",
                  source="tools/calibrate")


# ---- fused attention -------------------------------------------------------------------------------------------------


def attention_calls(shape, backend):
    b, s, a, g, d = shape["batch"], shape["seq_len"], shape["heads"], shape["kv_heads"], shape["head_dim"]
    dtype = torch.bfloat16

    def tensor(heads):  # [batch, heads, sequence, dim] with memory order of [batch, sequence, heads, dim]
        return normal(b, s, heads, d, dtype=dtype).transpose(1, 2).requires_grad_(True)

    q, k, v = tensor(a), tensor(g), tensor(g)
    upstream = normal(b, s, a, d, dtype=dtype).transpose(1, 2)

    def forward():
        with torch.nn.attention.sdpa_kernel(backend):
            return F.scaled_dot_product_attention(q, k, v, is_causal=True, enable_gqa=g != a)

    out = forward()

    def backward():
        torch.autograd.grad(out, (q, k, v), upstream, retain_graph=True)

    def forward_only():
        with torch.no_grad():
            forward()

    return forward_only, backward


def run_attention(table, gpu, quick):
    backends = {"flash2": torch.nn.attention.SDPBackend.FLASH_ATTENTION,
                "cudnn": torch.nn.attention.SDPBackend.CUDNN_ATTENTION}
    for index, shape in enumerate(shapes.attentions()):
        if quick and index % 10:
            continue
        for name, backend in backends.items():
            try:
                forward, backward = attention_calls(shape, backend)
                times = {"attention_forward": seconds_of([forward], 0.05),
                         "attention_backward": seconds_of([backward], 0.05)}
            except RuntimeError as error:
                print("attention", name, shape, "failed:", str(error).splitlines()[0])
                torch.cuda.synchronize()
                continue
            peak = shapes.PEAKS[gpu]["bf16"]
            flops = 4.0 * shape["batch"] * shape["seq_len"] ** 2 * shape["heads"] * shape["head_dim"]
            for kind, seconds in times.items():
                work = flops * (2.5 if kind == "attention_backward" else 1)
                table.row(kernel=kind, gpu=gpu, batch=shape["batch"], seq_len=shape["seq_len"], heads=shape["heads"],
                          kv_heads=shape["kv_heads"], qk_head_dim=shape["head_dim"], v_head_dim=shape["head_dim"],
                          contiguous=1, dtype="bf16", peak_tflops=peak, seconds=f"{seconds:.4e}",
                          efficiency=f"{work / seconds / peak / 1e12:.5f}", source=f"tools/calibrate {name}")


# ---- memory-bound kernels --------------------------------------------------------------------------------------------


def memory_kernels():
    """name → (function of the number of elements → call, bytes per element read + written)."""
    bf16, width = torch.bfloat16, 4096

    def rows(n):
        return normal(max(1, n // width), min(n, width), dtype=bf16)

    def copy(n):
        a, b = normal(n, dtype=bf16), torch.empty(n, device=DEVICE, dtype=bf16)
        return lambda: b.copy_(a)

    def add(n):
        a, b, c = normal(n, dtype=bf16), normal(n, dtype=bf16), torch.empty(n, device=DEVICE, dtype=bf16)
        return lambda: torch.add(a, b, out=c)

    def gelu(n):
        a = normal(n, dtype=bf16)
        return lambda: F.gelu(a, approximate="tanh")

    def gelu_backward(n):
        a, g = normal(n, dtype=bf16), normal(n, dtype=bf16)
        return lambda: torch.ops.aten.gelu_backward(g, a, approximate="tanh")

    def dropout(n):
        a = normal(n, dtype=bf16)
        return lambda: torch.native_dropout(a, 0.1, True)

    def layer_norm(n):
        a = rows(n)
        w = torch.ones(a.shape[1], device=DEVICE, dtype=bf16)
        return lambda: torch.native_layer_norm(a, (a.shape[1],), w, w, 1e-5)

    def layer_norm_backward(n):
        a, g = rows(n), rows(n)
        w = torch.ones(a.shape[1], device=DEVICE, dtype=bf16)
        _, mean, rstd = torch.native_layer_norm(a, (a.shape[1],), w, w, 1e-5)
        return lambda: torch.ops.aten.native_layer_norm_backward(g, a, [a.shape[1]], mean, rstd, w, w, [True] * 3)

    def softmax(n):
        a = rows(n)
        return lambda: torch.softmax(a, 1)

    def softmax_backward(n):
        a, g = rows(n), rows(n)
        p = torch.softmax(a, 1)
        return lambda: torch.ops.aten._softmax_backward_data(g, p, 1, bf16)

    def cast(n):
        a, b = normal(n, dtype=bf16), torch.empty(n, device=DEVICE, dtype=torch.float32)
        return lambda: b.copy_(a)

    def accumulate(n):
        a, b = normal(n, dtype=bf16), torch.zeros(n, device=DEVICE, dtype=torch.float32)
        return lambda: b.add_(a)

    def zero(n):
        a = torch.empty(n, device=DEVICE, dtype=torch.float32)
        return lambda: a.zero_()

    def adam(n):
        p, g, m, v = (normal(n, dtype=torch.float32) for _ in range(4))
        v.abs_()
        step = torch.ones((), device=DEVICE)
        return lambda: torch._fused_adam_([p], [g], [m], [v], [], [step], lr=1e-4, beta1=0.9, beta2=0.95,
                                          weight_decay=0.1, eps=1e-8, amsgrad=False, maximize=False)

    return {"copy": (copy, 4), "add": (add, 6), "gelu": (gelu, 4), "gelu_backward": (gelu_backward, 6),
            "dropout": (dropout, 5), "layer_norm": (layer_norm, 4), "layer_norm_backward": (layer_norm_backward, 6),
            "softmax": (softmax, 4), "softmax_backward": (softmax_backward, 6), "cast": (cast, 6),
            "accumulate": (accumulate, 10), "zero": (zero, 4), "adam": (adam, 28)}


def run_memory(table, gpu, quick):
    for name, (make, bytes_per_element) in memory_kernels().items():
        for power in range(16, 33, 4 if quick else 1):
            elements = (1 << power) // bytes_per_element // 4096 * 4096
            if elements == 0:
                continue
            moved = elements * bytes_per_element
            try:
                # Hot: the same buffers again (what follows the kernel that wrote them). Cold: buffers rotate.
                cold = seconds_of([make(elements) for _ in range(rotations(moved))], 0.02)
                hot = seconds_of([make(elements)], 0.01) if moved <= 1 << 28 else cold
            except RuntimeError as error:
                print("memory", name, power, "failed:", str(error).splitlines()[0])
                torch.cuda.synchronize()
                continue
            table.row(kernel=name, gpu=gpu, bytes=moved, seconds=f"{cold:.4e}", seconds_hot=f"{hot:.4e}",
                      bytes_per_second=f"{moved / cold:.4e}")


# ---- launches --------------------------------------------------------------------------------------------------------


def host_seconds(call, count=3000):
    """Host time per call while the device is kept behind: the queue takes about a thousand launches."""
    times = []
    for _ in range(count // 300):
        torch.cuda.synchronize()
        start = time.perf_counter()
        for _ in range(300):
            call()
        times.append((time.perf_counter() - start) / 300)
    torch.cuda.synchronize()
    return statistics.median(times)


def device_seconds(call, count=300):
    """Device time per call in a stream that never runs dry: the queue is filled behind a sleeping kernel."""
    times = []
    for _ in range(5):
        start, end = torch.cuda.Event(enable_timing=True), torch.cuda.Event(enable_timing=True)
        torch.cuda._sleep(40_000_000)
        start.record()
        for _ in range(count):
            call()
        end.record()
        end.synchronize()
        times.append(start.elapsed_time(end) / 1e3 / count)
    return statistics.median(times)


def blocking_seconds(call, count=300):
    def once():
        call()
        torch.cuda.synchronize()
    return host_seconds(once, count * 3)


def run_launch(table, gpu, _quick):
    tiny = torch.zeros(256, device=DEVICE)
    x = normal(64, 256, dtype=torch.bfloat16)
    w = normal(256, 256, dtype=torch.bfloat16)
    wg = normal(256, 256, dtype=torch.bfloat16).requires_grad_(True)
    one = torch.ones(256, device=DEVICE, dtype=torch.bfloat16)

    def forward_backward():
        F.linear(x, wg).sum().backward()

    calls = {"add_inplace": lambda: tiny.add_(1), "linear": lambda: F.linear(x, w), "gelu": lambda: F.gelu(x),
             "layer_norm": lambda: F.layer_norm(x, (256,), one, one)}
    for name, call in calls.items():
        with torch.no_grad():
            table.row(gpu=gpu, what=f"host_per_launch_eager:{name}", seconds=f"{host_seconds(call):.4e}")
            table.row(gpu=gpu, what=f"device_per_kernel_stream:{name}", seconds=f"{device_seconds(call):.4e}")
            table.row(gpu=gpu, what=f"device_per_kernel_graph:{name}", seconds=f"{seconds_of([call] * 8):.4e}")
            table.row(gpu=gpu, what=f"per_kernel_blocking:{name}", seconds=f"{blocking_seconds(call):.4e}")
    table.row(gpu=gpu, what="host_per_linear_sum_backward", seconds=f"{host_seconds(forward_backward):.4e}")


# ---- power -----------------------------------------------------------------------------------------------------------


def card_state():
    query = ["nvidia-smi", "--query-gpu=clocks.sm,power.draw,temperature.gpu", "--format=csv,noheader,nounits"]
    try:
        answer = subprocess.run(query, capture_output=True, text=True, timeout=10).stdout.strip().splitlines()[0]
        return [field.strip() for field in answer.split(",")]
    except (OSError, IndexError, subprocess.TimeoutExpired):
        return ["", "", ""]


def run_power(table, gpu, quick):
    for size in (4096, 8192) if quick else (2048, 4096, 8192, 16384):
        shape = {"batch": 1, "m": size, "n": size, "k": size, "layout": "TN", "dtype": "bf16", "accumulate": False}
        time.sleep(3)  # let it cool: the first rows are those of a lone product
        call = gemm_call(shape, torch.bfloat16)
        call()
        torch.cuda.synchronize()
        begin = time.perf_counter()
        flops = 2.0 * size**3
        for burst in range(20):
            count = max(1, int(0.02 * 1.08**burst * 7e14 / flops))
            start, end = torch.cuda.Event(enable_timing=True), torch.cuda.Event(enable_timing=True)
            start.record()
            for _ in range(count):
                call()
            end.record()
            clock, watts, celsius = card_state() if burst % 3 == 2 else ("", "", "")
            end.synchronize()
            seconds = start.elapsed_time(end) / 1e3 / count
            table.row(gpu=gpu, size=size, since_start=f"{time.perf_counter() - begin:.3f}", count=count,
                      tflops=f"{flops / seconds / 1e12:.1f}", clock_mhz=clock, power_w=watts, celsius=celsius)


# ---- one layer -------------------------------------------------------------------------------------------------------


def layer_kernels(tokens, hidden, heads, sequence):
    """Forward and backward of a GPT layer as kernel calls, in order, each with a name."""
    def gemm(m, n, k, layout, accumulate=False):
        shape = {"batch": 1, "m": m, "n": n, "k": k, "layout": layout, "dtype": "bf16", "accumulate": accumulate}
        return lambda call=accumulate_call_without_out(shape, torch.bfloat16) if accumulate else gemm_call(
            shape, torch.bfloat16): call()
    made = memory_kernels()
    attention = {"batch": tokens // sequence, "seq_len": sequence, "heads": heads, "kv_heads": heads,
                 "head_dim": hidden // heads}
    forward, backward = attention_calls(attention, torch.nn.attention.SDPBackend.FLASH_ATTENTION)
    n = tokens * hidden
    norm, norm_back = made["layer_norm"][0](n), made["layer_norm_backward"][0](n)
    add, gelu, gelu_back = made["add"][0](n), made["gelu"][0](4 * n), made["gelu_backward"][0](4 * n)
    chain = [("norm", norm), ("qkv", gemm(tokens, 3 * hidden, hidden, "TN")), ("attention", forward),
             ("proj", gemm(tokens, hidden, hidden, "TN")), ("add", add), ("norm", norm),
             ("fc1", gemm(tokens, 4 * hidden, hidden, "TN")), ("gelu", gelu),
             ("fc2", gemm(tokens, hidden, 4 * hidden, "TN")), ("add", add)]
    for name, out, inner in (("fc2", hidden, 4 * hidden), ("fc1", 4 * hidden, hidden), ("proj", hidden, hidden),
                             ("qkv", 3 * hidden, hidden)):
        chain.append((name + "_dgrad", gemm(tokens, inner, out, "NN")))
        chain.append((name + "_wgrad", gemm(out, inner, tokens, "NT", True)))
        if name == "fc2":
            chain.append(("gelu_backward", gelu_back))
        if name == "proj":
            chain.append(("attention_backward", backward))
        if name in ("fc1", "qkv"):
            chain += [("norm_backward", norm_back), ("add", add)]
    return chain


def run_layer(table, gpu, quick):
    for tokens, hidden, heads, sequence in shapes.LAYERS[:2 if quick else None]:
        chain = layer_kernels(tokens, hidden, heads, sequence)
        parts = {}
        for name, call in chain:
            if name not in parts:
                parts[name] = seconds_of([call], 0.02)
        total = sum(parts[name] for name, _ in chain)

        def whole():
            for _, call in chain:
                call()
        short = seconds_of([whole], 0.05)
        long = seconds_of([whole], 3.0)
        table.row(gpu=gpu, tokens=tokens, hidden=hidden, heads=heads, seq_len=sequence, seconds_parts=f"{total:.4e}",
                  seconds_whole=f"{short:.4e}", seconds_sustained=f"{long:.4e}",
                  parts=" ".join(f"{name}:{1e6 * value:.1f}us" for name, value in parts.items()))
        del chain
        torch.cuda.empty_cache()


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--gpu", required=True, choices=sorted(shapes.PEAKS))
    parser.add_argument("--out", required=True)
    parser.add_argument("--only", default="launch,gemm,attention,memory,layer,power")
    parser.add_argument("--quick", action="store_true")
    arguments = parser.parse_args()
    os.makedirs(arguments.out, exist_ok=True)
    kernels = Table(arguments.out, "kernels.csv", shapes.KERNEL_COLUMNS)
    parts = {"launch": (run_launch, Table(arguments.out, "launch.csv", ["gpu", "what", "seconds"])),
             "gemm": (run_gemm, kernels), "attention": (run_attention, kernels),
             "memory": (run_memory, Table(arguments.out, "memory.csv", ["kernel", "gpu", "bytes", "seconds",
                                                                        "seconds_hot", "bytes_per_second"])),
             "layer": (run_layer, Table(arguments.out, "layer.csv", shapes.LAYER_COLUMNS)),
             "power": (run_power, Table(arguments.out, "power.csv", shapes.POWER_COLUMNS))}
    for name in arguments.only.split(","):
        begin = time.perf_counter()
        run, table = parts[name]
        try:
            with torch.cuda.stream(torch.cuda.Stream()):  # graphs capture on it, and backward follows forward there
                run(table, arguments.gpu, arguments.quick)
        except Exception:  # one part that fails leaves the others their chance
            traceback.print_exc()
        torch.cuda.empty_cache()
        print(f"{name}: {time.perf_counter() - begin:.1f} s", flush=True)


if __name__ == "__main__":
    main()
