package dev.headrace.client;

/**
 * The run is not over, and reading on would not help now: {@link HeadraceClient#getRun(String)} says
 * how it stands, {@link HeadraceClient#attach(String)} reads it later.
 */
public final class RunSuspendedException extends HeadraceException {
  private final String state;

  RunSuspendedException(String message, CallStatus status) {
    super(message, status);
    this.state = status.runState();
  }

  /** What the server calls its state, such as WAITING. New values may come. */
  public String state() {
    return state;
  }
}
