"""What calibrate.py measures: shapes of transformer training, and the dense peaks (TFLOP/s) of the data sheets."""

PEAKS = {
    "v100-sxm-32gb": {"fp16": 125, "bf16": 0, "tf32": 0, "fp32": 15.7, "fp8": 0},
    "a100-sxm-80gb": {"fp16": 312, "bf16": 312, "tf32": 156, "fp32": 19.5, "fp8": 0},
    "a100-pcie-80gb": {"fp16": 312, "bf16": 312, "tf32": 156, "fp32": 19.5, "fp8": 0},
    "h100-sxm-80gb": {"fp16": 989.4, "bf16": 989.4, "tf32": 494.7, "fp32": 66.9, "fp8": 1979},
    "h200-sxm-141gb": {"fp16": 989.4, "bf16": 989.4, "tf32": 494.7, "fp32": 66.9, "fp8": 1979},
    "b200-sxm-180gb": {"fp16": 2250, "bf16": 2250, "tf32": 1125, "fp32": 80, "fp8": 4500},
}

KERNEL_COLUMNS = ["kernel", "gpu", "batch", "m", "n", "k", "layout", "accumulate", "out_dtype", "seq_len", "heads",
                  "kv_heads", "qk_head_dim", "v_head_dim", "contiguous", "peak_tflops", "efficiency", "source", "dtype",
                  "seconds"]
LAYER_COLUMNS = ["gpu", "tokens", "hidden", "heads", "seq_len", "seconds_parts", "seconds_whole", "seconds_sustained",
                 "parts"]
POWER_COLUMNS = ["gpu", "size", "since_start", "count", "tflops", "clock_mhz", "power_w", "celsius"]

# tokens, hidden, heads, sequence of the layers measured whole
LAYERS = [(2048, 1024, 16, 1024), (2048, 2048, 16, 2048), (4096, 4096, 32, 4096), (8192, 5120, 40, 2048),
          (4096, 8192, 64, 4096)]

# (hidden, feed-forward, tensor-parallel degrees): GPT-2 … GPT-3 175B, Llama 1B … 70B
MODELS = [(768, 3072, (1,)), (1024, 4096, (1,)), (1536, 6144, (1,)), (2048, 8192, (1, 2)), (2560, 10240, (1,)),
          (3072, 8192, (1, 8)), (4096, 14336, (1, 2, 8)), (5120, 20480, (2, 8)), (8192, 28672, (1, 4, 8)),
          (12288, 49152, (8,))]
TOKENS = [1024, 2048, 4096, 8192, 16384]


def gemm(m, n, k, layout="TN", dtype="bf16", accumulate=False, batch=1):
    return {"batch": batch, "m": m, "n": n, "k": k, "layout": layout, "dtype": dtype, "accumulate": accumulate}


def linear(tokens, inputs, outputs, dtype="bf16"):
    """Forward, input gradient, weight gradient (in bf16, and accumulated in fp32) of one linear layer."""
    yield gemm(tokens, outputs, inputs, "TN", dtype)
    if dtype == "fp8":  # the library multiplies fp8 operands in TN order only: gradients are transposed first
        yield gemm(tokens, inputs, outputs, "TN", dtype)
        yield gemm(outputs, inputs, tokens, "TN", dtype)
        return
    yield gemm(tokens, inputs, outputs, "NN", dtype)
    yield gemm(outputs, inputs, tokens, "NT", dtype)
    yield gemm(outputs, inputs, tokens, "NT", dtype, accumulate=True)


def linears():
    """Each model at two token counts, which vary from model to model."""
    for index, (hidden, wide, degrees) in enumerate(MODELS):
        for degree in degrees:
            for step in (0, 2):
                tokens = TOKENS[(index + degree + step) % len(TOKENS)]
                yield tokens, hidden, 3 * hidden // degree
                yield tokens, hidden // degree, hidden
                yield tokens, hidden, wide // degree
                yield tokens, wide // degree, hidden


def cubes():
    for size in (256, 512, 768, 1024, 1280, 1536, 1792, 2048, 2304, 2560, 3072, 3584, 4096, 5120, 6144, 8192, 12288):
        yield gemm(size, size, size)
    for size in (1024, 2048, 4096, 8192):
        yield gemm(size, size, size, dtype="fp16")
        yield gemm(size, size, size, dtype="tf32")
        yield gemm(size, size, size, dtype="fp8")
    for size in (1024, 2048, 4096):
        yield gemm(size, size, size, dtype="fp32")


def odd_shapes():
    """Alignment, short k, narrow results, vocabularies."""
    for wide in (10922, 10923, 10928, 10944, 11008):
        yield gemm(4096, wide, 4096)
    for vocabulary in (50257, 50264, 50304, 51200, 128256):
        yield from linear(4096, 2048, vocabulary)
    for depth in (64, 128, 256, 512, 1024, 2048, 32768):
        yield gemm(4096, 4096, depth)
    for width in (64, 128, 192, 256, 320, 384, 512, 640, 768, 1024, 1280, 1536):
        yield gemm(4096, width, 4096)
    for tokens in (64, 128, 256, 512, 768):
        yield gemm(tokens, 4096, 4096)


def unfused_attention():
    """Scores, context and their gradients as batched products: batch = sequences · heads."""
    for batch, sequence, dim in ((16, 1024, 64), (32, 1024, 128), (64, 1024, 96), (12, 2048, 128), (16, 2048, 64),
                                 (16, 2048, 80), (32, 2048, 128), (64, 2048, 128), (24, 2048, 160), (16, 4096, 128)):
        yield gemm(sequence, sequence, dim, "TN", batch=batch)
        yield gemm(sequence, dim, sequence, "NN", batch=batch)
        yield gemm(sequence, dim, sequence, "NT", batch=batch)


def gemms():
    yield from cubes()
    yield from odd_shapes()
    for tokens, inputs, outputs in linears():
        yield from linear(tokens, inputs, outputs)
    for index, (tokens, inputs, outputs) in enumerate(linears()):
        if index % 3 == 0:
            yield from linear(tokens, inputs, outputs, "fp8")
    yield from unfused_attention()


def attentions():
    def shape(batch, sequence, heads, kv_heads, head_dim):
        return {"batch": batch, "seq_len": sequence, "heads": heads, "kv_heads": kv_heads, "head_dim": head_dim}
    for head_dim in (64, 128):
        for batch, sequence in ((1, 1024), (4, 1024), (1, 2048), (4, 2048), (1, 4096), (2, 4096), (1, 8192)):
            for heads in (4, 8, 16, 32):
                yield shape(batch, sequence, heads, heads, head_dim)
    for head_dim in (80, 96, 160, 192, 256):
        yield shape(2, 2048, 16, 16, head_dim)
    for heads, kv_heads in ((32, 8), (8, 1), (64, 8), (16, 2)):
        yield shape(1, 4096, heads, kv_heads, 128)
        yield shape(1, 8192, heads, kv_heads, 128)
    yield shape(1, 16384, 8, 8, 128)
    yield shape(1, 32768, 8, 1, 128)
    yield shape(1, 65536, 4, 1, 128)
