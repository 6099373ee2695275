"""Python runs this before the emulator."""

import socketserver

from ministack.core import iam_actions

# Answers are written in small pieces; without Nagle's algorithm a warm call
# takes 8 ms instead of 100.
socketserver.StreamRequestHandler.disable_nagle_algorithm = True

# To AWS a batch is the single action on each of its entries; the emulator
# looks for a permission of the batch's name, which does not exist.
_extract = iam_actions.extract_iam_action


def _extract_single(*args, **kwargs):
    action = _extract(*args, **kwargs)
    if isinstance(action, str) and action.startswith("sqs:"):
        return action.removesuffix("Batch")
    return action


iam_actions.extract_iam_action = _extract_single
