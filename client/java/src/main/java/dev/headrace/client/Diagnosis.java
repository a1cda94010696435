package dev.headrace.client;

import java.io.IOException;
import java.net.InetSocketAddress;
import java.net.Socket;
import java.nio.charset.StandardCharsets;
import java.security.GeneralSecurityException;
import java.security.cert.X509Certificate;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import javax.net.ssl.SSLContext;
import javax.net.ssl.SSLEngine;
import javax.net.ssl.SSLSocket;
import javax.net.ssl.TrustManager;
import javax.net.ssl.X509ExtendedTrustManager;

/**
 * Diagnosis of an address where no server answered, made once, after the failure.
 *
 * <p>Nothing hangs on how gRPC words an error. A handshake is begun and nothing of the caller's is
 * sent; only what was seen is claimed.
 */
final class Diagnosis {
  private static final int MILLIS = 1_000; // for one step of a connection; there are two of them at most
  private static final Pattern PLACE = Pattern.compile("(?:dns:///|dns:)?\\[?([^/]+?)\\]?:(\\d{1,5})");
  private static final byte[] HTTP2_PREFACE =
      "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\4\0\0\0\0\0".getBytes(StandardCharsets.ISO_8859_1);
  private static final int SETTINGS = 4;

  private final String address;
  private final boolean isSecure;

  /** {@code isSecure}: whether the client speaks TLS. */
  Diagnosis(String address, boolean isSecure) {
    this.address = address;
    this.isSecure = isSecure;
  }

  /** The status of a call that did not reach the server, with what listens there instead. */
  CallStatus explained(CallStatus status) {
    Matcher place = PLACE.matcher(address);

    if (!status.isCut() || !status.reason().isEmpty() || !place.matches()) {
      return status;
    }

    int port = Math.min(Integer.parseInt(place.group(2)), 65_535);
    InetSocketAddress there = new InetSocketAddress(place.group(1), port);

    if (speaksTls(there)) {
      String text = "TLS is spoken there, not plain text; give credentials(TlsChannelCredentials.create())";

      return isSecure ? status : found(status, "TLS_WANTED", text);
    }

    byte[] reply = reply(there);

    if (new String(reply, StandardCharsets.ISO_8859_1).startsWith("HTTP/1")) {
      return found(status, "NOT_GRPC", "HTTP/1 is spoken there, not gRPC; give the address of a server");
    }

    boolean isPlain = reply.length > 3 && reply[0] == 0 && reply[3] == SETTINGS;
    String text = "plain text is spoken there, not TLS; leave the credentials out";

    return isSecure && isPlain ? found(status, "TLS_UNWANTED", text) : status;
  }

  private CallStatus found(CallStatus status, String reason, String text) {
    return status.unreachable(reason, "no server answers at " + address + ": " + text);
  }

  private static boolean speaksTls(InetSocketAddress there) {
    try (Socket plain = connected(there);
        SSLSocket socket =
            (SSLSocket)
                trustingAll()
                    .getSocketFactory()
                    .createSocket(plain, there.getHostString(), there.getPort(), true)) {
      socket.startHandshake();

      return true;
    } catch (IOException | GeneralSecurityException silent) {
      return false;
    }
  }

  /** The first bytes that answer a hello of HTTP/2; none from who is silent or hangs up. */
  private static byte[] reply(InetSocketAddress there) {
    try (Socket socket = connected(there)) {
      socket.getOutputStream().write(HTTP2_PREFACE);

      return socket.getInputStream().readNBytes(6);
    } catch (IOException silent) {
      return new byte[0];
    }
  }

  private static Socket connected(InetSocketAddress there) throws IOException {
    Socket socket = new Socket();
    socket.setSoTimeout(MILLIS);
    socket.connect(there, MILLIS);

    return socket;
  }

  /** Only who speaks is of interest, and nothing is told. */
  private static SSLContext trustingAll() throws GeneralSecurityException {
    SSLContext context = SSLContext.getInstance("TLS");
    context.init(null, new TrustManager[] {new TrustAll()}, null);

    return context;
  }

  private static final class TrustAll extends X509ExtendedTrustManager {
    @Override
    public void checkClientTrusted(X509Certificate[] chain, String type, Socket socket) {}

    @Override
    public void checkServerTrusted(X509Certificate[] chain, String type, Socket socket) {}

    @Override
    public void checkClientTrusted(X509Certificate[] chain, String type, SSLEngine engine) {}

    @Override
    public void checkServerTrusted(X509Certificate[] chain, String type, SSLEngine engine) {}

    @Override
    public void checkClientTrusted(X509Certificate[] chain, String type) {}

    @Override
    public void checkServerTrusted(X509Certificate[] chain, String type) {}

    @Override
    public X509Certificate[] getAcceptedIssuers() {
      return new X509Certificate[0];
    }
  }
}
