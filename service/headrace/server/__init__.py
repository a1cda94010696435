"""The gRPC service: admission, readers, errors as statuses, and the process around them."""
