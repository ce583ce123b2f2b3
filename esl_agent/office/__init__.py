"""The operator's office: what customers pay and owe besides their calls."""
