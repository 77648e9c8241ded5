"""What WSEGPC_PLUGINS=toy_plugin brings to the commands; nothing here needs Pointcept."""

from . import capture, guidance, partition, predictor  # noqa: F401
