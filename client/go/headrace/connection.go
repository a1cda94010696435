package headrace

import (
	"context"
	"fmt"
	"net"
	"strings"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/backoff"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/keepalive"
)

const (
	maxMessage   = 16 << 20 // a Struct takes several times the bytes of its JSON
	streamWindow = 64 << 10 // small, so that the server merges early for a reader that is slow
)

// Calls with one answer are repeated by the channel; Run, Attach and Predict by the client.
const serviceConfig = `{"methodConfig": [{
	"name": [
		{"service": "headrace.v1.HeadraceService", "method": "ListPrograms"},
		{"service": "headrace.v1.HeadraceService", "method": "GetProgram"},
		{"service": "headrace.v1.HeadraceService", "method": "GetRun"},
		{"service": "headrace.v1.HeadraceService", "method": "ListRuns"},
		{"service": "headrace.v1.HeadraceService", "method": "CancelRun"},
		{"service": "headrace.v1.HeadraceService", "method": "DeleteRun"},
		{"service": "headrace.v1.HeadraceService", "method": "SendInput"},
		{"service": "headrace.v1.HeadraceService", "method": "GetServerInfo"}
	],
	"retryPolicy": {
		"maxAttempts": 4,
		"initialBackoff": "0.1s",
		"maxBackoff": "2s",
		"backoffMultiplier": 2,
		"retryableStatusCodes": ["UNAVAILABLE"]
	}
}]}`

// dial makes the channel; it connects at the first call.
func (c *Client) dial() (*grpc.ClientConn, error) {
	if c.token != nil && c.tls == nil && !isLoopback(c.address) {
		return nil, fmt.Errorf("headrace: a token would cross the network in clear text to %s: "+
			"give WithTLS too", c.address)
	}

	options := []grpc.DialOption{
		grpc.WithTransportCredentials(c.transportCredentials()),
		grpc.WithKeepaliveParams(keepalive.ClientParameters{
			Time:    10 * time.Second,
			Timeout: 5 * time.Second,
		}),
		grpc.WithConnectParams(grpc.ConnectParams{
			Backoff: backoff.Config{
				BaseDelay:  100 * time.Millisecond,
				Multiplier: 1.6,
				Jitter:     0.2,
				MaxDelay:   2 * time.Second, // else a restarted server is found minutes later
			},
			MinConnectTimeout: 5 * time.Second,
		}),
		grpc.WithStaticStreamWindowSize(streamWindow),
		grpc.WithDefaultCallOptions(grpc.MaxCallRecvMsgSize(maxMessage)),
		grpc.WithDefaultServiceConfig(serviceConfig),
		grpc.WithUserAgent("headrace-go"),
	}

	if c.token != nil {
		options = append(options, grpc.WithPerRPCCredentials(bearer(c.token)))
	}

	return grpc.NewClient(c.address, append(options, c.dialOptions...)...)
}

func (c *Client) transportCredentials() credentials.TransportCredentials {
	if c.tls == nil {
		return insecure.NewCredentials()
	}

	return credentials.NewTLS(c.tls)
}

// isLoopback tells whether an address cannot leave this machine.
func isLoopback(address string) bool {
	if strings.HasPrefix(address, "unix:") || strings.HasPrefix(address, "unix-abstract:") {
		return true
	}

	for _, scheme := range []string{"dns:///", "passthrough:///"} {
		address = strings.TrimPrefix(address, scheme)
	}

	host, _, err := net.SplitHostPort(address)

	if err != nil {
		host = strings.Trim(address, "[]")
	}

	return host == "localhost" || net.ParseIP(host).IsLoopback()
}

type bearer func() string

func (b bearer) GetRequestMetadata(context.Context, ...string) (map[string]string, error) {
	return map[string]string{"authorization": "Bearer " + b()}, nil
}

// RequireTransportSecurity is false for loopback's sake; dial refuses the rest.
func (b bearer) RequireTransportSecurity() bool { return false }
