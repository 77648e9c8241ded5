"""Base of all hooks: what the trainer calls, in this order."""

from __future__ import annotations

from pointcept.limits import NotInStandIn

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
    """In Pointcept it passes all calls on to a model that is itself a hook; ours never is."""

    def before_train(self):
        if isinstance(self.trainer.model, HookBase):
            raise NotInStandIn("A model that is itself a hook is")
