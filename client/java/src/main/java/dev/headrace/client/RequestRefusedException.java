package dev.headrace.client;

/** The server refused the request and started nothing. */
public final class RequestRefusedException extends HeadraceException {
  RequestRefusedException(String message, CallStatus status) {
    super(message, status);
  }
}
