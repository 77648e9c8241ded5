# Fills Pointcept's registries with this plugin; every config of ours has it as a base.
custom_imports = dict(imports=["pointcept_wsegpc.register"], allow_failed_imports=False)
