package service

import (
	"context"
	"errors"
	"fmt"
	"net"
	"syscall"
)

// checkAddress reports before anything is started that the receiver could not
// listen. It does not listen yet: nobody would answer.
func (s *Service) checkAddress(context.Context) error {
	if !s.has(RoleReceiver) {
		return nil
	}
	c := s.options.Config
	if c.TLS != nil {
		if err := tryListen(c.TLS.Listen, setTLSListen); err != nil {
			return err
		}
	}
	return tryListen(c.Listen, setListen)
}

func tryListen(address, setting string) error {
	listener, err := Listen(address, setting)
	if err != nil {
		return err
	}
	return listener.Close()
}

// How an address to listen on is set.
const (
	setListen        = "listen in stanch.yaml or --listen"
	setMetricsListen = "telemetry.metrics.listen in stanch.yaml"
)

// Listen listens on an address, which is set as setting says.
func Listen(address, setting string) (net.Listener, error) {
	listener, err := net.Listen("tcp", address)
	if errors.Is(err, syscall.EADDRINUSE) {
		return nil, fmt.Errorf("another process listens on %s: stop it, or give another address with %s", address, setting)
	}
	if err != nil {
		return nil, fmt.Errorf("listen on %s: %w", address, err)
	}
	return listener, nil
}
