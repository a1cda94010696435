package dev.headrace.client;

/**
 * The run is not over, and reading on would not help now: {@link #runState} says why, {@link
 * HeadraceClient#getRun(String)} more; {@link HeadraceClient#attach(String)} reads it later.
 */
public final class RunSuspendedException extends HeadraceException {
  RunSuspendedException(String message, CallStatus status) {
    super(message, status);
  }
}
