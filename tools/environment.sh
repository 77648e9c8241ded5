# Sourced by the scripts here, in the repository: its own packages, and caches inside it.
unset PYTHONPATH PYTHONHOME
export XDG_CACHE_HOME="$PWD/.venv/cache" XDG_CONFIG_HOME="$PWD/.venv/config"
export MPLCONFIGDIR="$XDG_CACHE_HOME/matplotlib" TORCH_HOME="$XDG_CACHE_HOME/torch"
export HF_HOME="$XDG_CACHE_HOME/huggingface" NUMBA_CACHE_DIR="$XDG_CACHE_HOME/numba"
export OMP_WAIT_POLICY="${OMP_WAIT_POLICY:-PASSIVE}" # threads that wait leave the cores to others
