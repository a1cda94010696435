package headrace

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"google.golang.org/grpc"
)

func TestWhoAnswersInsteadIsSaidWithWhatToDo(t *testing.T) {
	encrypted := httptest.NewUnstartedServer(http.NotFoundHandler())
	encrypted.EnableHTTP2 = true
	encrypted.StartTLS()
	defer encrypted.Close()

	web := httptest.NewServer(http.NotFoundHandler())
	defer web.Close()

	listener, _ := net.Listen("tcp", "127.0.0.1:0")
	plain := grpc.NewServer()
	go func() { _ = plain.Serve(listener) }()
	defer plain.Stop()

	withTLS := WithTLS(&tls.Config{RootCAs: x509.NewCertPool()})
	cases := []struct {
		address, reason, words string
		options                []ClientOption
	}{
		{encrypted.Listener.Addr().String(), "TLS_WANTED", "TLS is spoken there, not plain text", nil},
		{listener.Addr().String(), "TLS_UNWANTED", "plain text is spoken there, not TLS", []ClientOption{withTLS}},
		{web.Listener.Addr().String(), "NOT_GRPC", "HTTP/1 is spoken there, not gRPC", nil},
		{"127.0.0.1:1", "", "refused", nil},
	}

	for _, one := range cases {
		client, _ := NewClient(one.address, one.options...)
		defer client.Close()
		_, predicting := client.Predict(context.Background(), "composer", map[string]any{})
		_, asking := client.Programs(context.Background())

		for _, err := range []error{predicting, asking} {
			equal(t, errors.Is(err, ErrUnreachable), true)
			equal(t, failure(t, err).Reason, one.reason)
			equal(t, strings.HasPrefix(failure(t, err).Message, "no server answers at "+one.address+": "), true)
			equal(t, strings.Contains(failure(t, err).Message, one.words), true)
		}
	}
}
