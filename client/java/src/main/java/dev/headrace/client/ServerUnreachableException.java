package dev.headrace.client;

/**
 * No answer from the server, or the connection broke and did not come back in time. A run that had
 * begun may still be going: {@link HeadraceClient#attach(String)} reads it.
 */
public final class ServerUnreachableException extends HeadraceException {
  ServerUnreachableException(String message, CallStatus status) {
    super(message, status);
  }
}
