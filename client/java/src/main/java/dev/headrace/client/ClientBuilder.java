package dev.headrace.client;

import io.grpc.CallCredentials;
import io.grpc.ChannelCredentials;
import io.grpc.InsecureChannelCredentials;
import java.util.function.Supplier;

/** Options of a client, made by {@link HeadraceClient#to}. */
public final class ClientBuilder {
  private final String address;
  private ChannelCredentials credentials;
  private Supplier<String> token;
  private int retries = 10;

  ClientBuilder(String address) {
    this.address = address;
  }

  /** {@code TlsChannelCredentials.create()}, with a key manager for mutual TLS. Clear text unless set. */
  public ClientBuilder credentials(ChannelCredentials credentials) {
    this.credentials = credentials;
    return this;
  }

  /**
   * Sends a bearer token; it is asked for at every call, and may change. Over the network it needs
   * {@link #credentials} too.
   */
  public ClientBuilder token(Supplier<String> token) {
    this.token = token;
    return this;
  }

  /** Failures in a row, without anything new, after which reading a run is given up; 10 unless set. */
  public ClientBuilder retries(int count) {
    this.retries = count;
    return this;
  }

  /**
   * The client.
   *
   * @throws IllegalStateException when a token would cross the network in clear text
   */
  public HeadraceClient build() {
    if (token != null && credentials == null && !Channels.isLoopback(address)) {
      throw new IllegalStateException(
          "a token would cross the network in clear text to " + address + ": give credentials too");
    }

    ChannelCredentials spoken = credentials == null ? InsecureChannelCredentials.create() : credentials;

    CallCredentials caller = token == null ? null : Channels.bearer(token);
    Connection connection =
        new Connection(address, credentials != null, Channels.open(address, spoken), caller);

    return new HeadraceClient(connection, new RunCalls(connection, retries, Backoff.Delays.USUAL));
  }
}
