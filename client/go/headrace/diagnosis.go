package headrace

import (
	"bytes"
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"strings"
	"time"

	"google.golang.org/grpc/codes"
)

const (
	probeTime    = time.Second // for one connection; there are two at most
	http2Preface = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\x00\x00\x00\x04\x00\x00\x00\x00\x00"
)

// explained adds to a failure to reach the server the reason for it, where something else is seen to listen there.
//
// Nothing hangs on how gRPC words an error: a handshake is begun, and nothing of the caller's is sent.
func (c *Client) explained(status *callStatus) *callStatus {
	target, known := dialTarget(c.address)

	if !known || !status.cut() || status.Reason != "" {
		return status
	}

	reason, cause := "", ""

	switch spoken := protocolAt(target); {
	case spoken == "TLS" && c.tls == nil:
		reason, cause = "TLS_WANTED", "TLS is spoken there, not plain text; give WithTLS"
	case spoken == "HTTP/2" && c.tls != nil:
		reason, cause = "TLS_UNWANTED", "plain text is spoken there, not TLS; leave WithTLS out"
	case spoken == "HTTP/1":
		reason, cause = "NOT_GRPC", "HTTP/1 is spoken there, not gRPC; give the address of a server"
	default:
		return status
	}

	status.Code, status.Reason, status.kind = codes.Unavailable, reason, ErrUnreachable
	status.Message = fmt.Sprintf("no server answers at %s: %s", c.address, cause)

	return status
}

// dialTarget gives the host and port of an address that is resolved by DNS, which is gRPC's default.
func dialTarget(address string) (string, bool) {
	target := strings.TrimPrefix(strings.TrimPrefix(address, "dns:///"), "dns:")
	_, _, err := net.SplitHostPort(target)

	return target, err == nil && !strings.Contains(target, "/")
}

// protocolAt gives the protocol spoken at an address: TLS, HTTP/2 or HTTP/1 in plain text, or "" for any other.
func protocolAt(target string) string {
	dialer := &net.Dialer{Timeout: probeTime}
	handshake := &tls.Config{InsecureSkipVerify: true} // only who speaks is of interest, and nothing is told

	if connection, err := tls.DialWithDialer(dialer, "tcp", target, handshake); err == nil {
		_ = connection.Close()

		return "TLS"
	}

	connection, err := dialer.Dial("tcp", target)

	if err != nil {
		return ""
	}

	defer connection.Close()
	_ = connection.SetDeadline(time.Now().Add(probeTime))
	_, _ = connection.Write([]byte(http2Preface))
	reply := make([]byte, 6)
	count, _ := io.ReadFull(connection, reply)

	switch {
	case bytes.HasPrefix(reply[:count], []byte("HTTP/1")):
		return "HTTP/1"
	case count > 3 && reply[0] == 0 && reply[3] == 4: // the header of SETTINGS
		return "HTTP/2"
	default:
		return ""
	}
}
