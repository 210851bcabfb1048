"""The parts of ``check``, one module per topic; each declares the advice that it gives."""
