"""Base of all hooks: what the trainer calls, in this order."""


class HookBase:
    """Override what you need; ``self.trainer`` is the trainer (a weak reference)."""

    trainer = None

    def before_train(self):
        pass

    def before_epoch(self):
        pass

    def before_step(self):
        pass

    def after_step(self):
        pass

    def after_epoch(self):
        pass

    def after_train(self):
        pass
