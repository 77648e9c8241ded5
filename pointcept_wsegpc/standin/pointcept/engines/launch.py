from pointcept.limits import NotInStandIn


def launch(
    main_func, num_gpus_per_machine, num_machines=1, machine_rank=0, dist_url=None, cfg=()
) -> None:
    """Call ``main_func(*cfg)`` in this process."""
    if num_gpus_per_machine * num_machines > 1:
        raise NotInStandIn(
            f"Training on {num_gpus_per_machine} GPUs of {num_machines} machine(s) is"
        )
    main_func(*cfg)
