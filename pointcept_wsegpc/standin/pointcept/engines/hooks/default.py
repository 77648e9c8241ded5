class HookBase:
    """Override what you need; ``self.trainer`` is the trainer (a weak reference)."""

    trainer = None

    def _nothing(self):
        pass

    # In the order in which the trainer calls them.
    before_train = before_epoch = before_step = after_step = after_epoch = after_train = _nothing
