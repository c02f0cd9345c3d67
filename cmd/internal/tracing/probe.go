package tracing

import (
	"context"
	"fmt"
	"net"
	"strconv"
	"strings"

	"go.opentelemetry.io/otel/exporters/otlp/otlptrace/otlptracegrpc"

	"github.com/stanch-soar/stanch/integrations"
)

// Probe sends the collector a request without spans, as spans would be sent, and
// returns its host:port and why it does not take them.
func Probe(ctx context.Context, o Options) (host string, err error) {
	host, client, err := o.client(otlptracegrpc.RetryConfig{})
	if err != nil {
		return "", err
	}
	if err := client.Start(ctx); err != nil {
		return host, fmt.Errorf("reach %s: %s", host, reason(err, o.Token))
	}
	// It only closes the connection, over which nothing is sent any more.
	defer func() { _ = client.Stop(context.WithoutCancel(ctx)) }()
	err = client.UploadTraces(ctx, nil)
	if err != nil && strings.Contains(err.Error(), "name resolver error") {
		// gRPC does not say why a name has no address.
		if _, unresolved := net.DefaultResolver.LookupHost(ctx, nameOf(host)); unresolved != nil {
			err = unresolved
		}
	}
	if err != nil {
		return host, fmt.Errorf("%s does not take spans: %s", host, reason(err, o.Token))
	}
	return host, nil
}

// nameOf returns the host of host:port.
func nameOf(address string) string {
	name, _, err := net.SplitHostPort(address)
	if err != nil {
		return address
	}
	return name
}

// reason says why spans were not taken. A failed connection is told as the network
// tells it, without gRPC's own words. The token is not in it, also where the
// collector repeats what it was sent.
func reason(err error, token integrations.Secret) string {
	text := err.Error()
	if _, quoted, ok := strings.Cut(text, "connection error: desc = "); ok {
		if plain, err := strconv.Unquote(quoted); err == nil {
			text = strings.TrimPrefix(plain, "transport: ")
		}
	}
	if token != "" {
		text = strings.ReplaceAll(text, token.Reveal(), token.String())
	}
	return text
}
