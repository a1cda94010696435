package dev.headrace.client;

/** The run is over and has no prediction. It stays failed: a new try is a new run. */
public final class RunFailedException extends HeadraceException {
  RunFailedException(String message, CallStatus status) {
    super(message, status);
  }
}
