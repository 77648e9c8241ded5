"""Base of all hooks: what the trainer calls, in this order."""

from __future__ import annotations

from .builder import HOOKS


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


@HOOKS.register_module()
class ModelHook(HookBase):
    """Passes the calls on to a model that is itself a HookBase, else does nothing."""

    def before_train(self):
        model = self.trainer.model
        self.model = model if isinstance(model, HookBase) else HookBase()
        self.model.trainer = self.trainer
        self.model.before_train()

    def before_epoch(self):
        self.model.before_epoch()

    def before_step(self):
        self.model.before_step()

    def after_step(self):
        self.model.after_step()

    def after_epoch(self):
        self.model.after_epoch()

    def after_train(self):
        self.model.after_train()
