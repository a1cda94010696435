package dev.headrace.client;

/** An answer that the contract does not foresee. */
public final class ServerFaultException extends HeadraceException {
  ServerFaultException(String message, CallStatus status) {
    super(message, status);
  }
}
