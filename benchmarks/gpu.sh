#!/bin/sh
# Step times on a GPU, byhand's jax engine beside PyTorch: three networks, under four minutes. Needs jax[cuda12] and torch with CUDA.
set -eu
cd "$(dirname "$0")"
python=${PYTHON:-python}
"$python" -c "import jax, torch; assert jax.default_backend() == 'gpu', 'JAX sees no GPU: pip install jax[cuda12]'; assert torch.cuda.is_available()"
for net in "784-300-10 --batch 64" "784-512-512-10 --batch 128" "1024-2048-2048-1000 --batch 512"; do
    # shellcheck disable=SC2086
    timeout 75 "$python" train.py --rounds 3 --net $net
done
