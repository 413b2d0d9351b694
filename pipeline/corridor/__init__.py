"""Walk the stages in order: the only place that knows more than one of them."""
