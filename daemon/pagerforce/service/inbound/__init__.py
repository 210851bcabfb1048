"""What comes in: bounds on connections that strangers open, for the metrics port and the control socket."""
