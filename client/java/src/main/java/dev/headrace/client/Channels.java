package dev.headrace.client;

import io.grpc.CallCredentials;
import io.grpc.ChannelCredentials;
import io.grpc.ManagedChannel;
import io.grpc.Metadata;
import io.grpc.netty.shaded.io.grpc.netty.NettyChannelBuilder;
import java.util.List;
import java.util.Map;
import java.util.concurrent.Executor;
import java.util.concurrent.TimeUnit;
import java.util.function.Supplier;
import java.util.stream.Stream;

/** Set-up of the channel to a server, and the caller's token. */
final class Channels {
  private static final int MAX_MESSAGE = 16 << 20; // a Struct is five times the size of its JSON text
  private static final int WINDOW = 64 << 10; // small, so that the server merges early for a slow reader

  /** Calls with one answer are repeated by the channel; Run, Attach and Predict by the client. */
  static final Map<String, Object> SERVICE_CONFIG =
      Map.of("methodConfig", List.of(Map.of("name", repeatable(), "retryPolicy", retryPolicy())));

  private Channels() {}

  static ManagedChannel open(String address, ChannelCredentials credentials) {
    return NettyChannelBuilder.forTarget(address, credentials)
        .keepAliveTime(10, TimeUnit.SECONDS)
        .keepAliveTimeout(5, TimeUnit.SECONDS)
        .flowControlWindow(WINDOW)
        .maxInboundMessageSize(MAX_MESSAGE)
        .defaultServiceConfig(SERVICE_CONFIG)
        .userAgent("headrace-java")
        .build();
  }

  /** True for an address that cannot leave this machine. */
  static boolean isLoopback(String address) {
    if (address.startsWith("unix:")) {
      return true;
    }

    String target = address.replaceFirst("^(dns:///|dns:)", "");
    String host = target.replaceFirst(":\\d+$", "").replaceAll("^\\[|\\]$", "");

    return host.equals("localhost") || host.equals("::1") || host.matches("127\\.\\d+\\.\\d+\\.\\d+");
  }

  /** Sends a bearer token with every call. */
  static CallCredentials bearer(Supplier<String> token) {
    return new CallCredentials() {
      @Override
      public void applyRequestMetadata(RequestInfo request, Executor executor, MetadataApplier applier) {
        Metadata headers = new Metadata();
        headers.put(
            Metadata.Key.of("authorization", Metadata.ASCII_STRING_MARSHALLER), "Bearer " + token.get());
        applier.apply(headers);
      }
    };
  }

  private static List<Map<String, String>> repeatable() {
    return Stream.of(
            "ListPrograms",
            "GetProgram",
            "GetRun",
            "ListRuns",
            "CancelRun",
            "DeleteRun",
            "SendInput",
            "GetServerInfo")
        .map(method -> Map.of("service", "headrace.v1.HeadraceService", "method", method))
        .toList();
  }

  private static Map<String, Object> retryPolicy() {
    return Map.of(
        "maxAttempts", 4.0,
        "initialBackoff", "0.1s",
        "maxBackoff", "2s",
        "backoffMultiplier", 2.0,
        "retryableStatusCodes", List.of("UNAVAILABLE"));
  }
}
