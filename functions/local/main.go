// Command local runs all of Posthaste in one process on one embedded file: the
// same packages as the Lambda functions, without AWS.
package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/posthaste-dev/posthaste/functions/internal/memory"
	"github.com/posthaste-dev/posthaste/pkg/config"
)

// version is set by the linker.
var version = "dev"

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	var err error
	switch args := os.Args[1:]; {
	case len(args) == 0:
		err = run(ctx)
	case args[0] == "invoke":
		var in invocation
		if in, err = parseInvocation(args[1:]); err == nil {
			err = invoke(ctx, in, os.Stdout, os.Stderr)
		}
	default:
		err = errors.New("usage: local, or local invoke events/<function>/<case>.json")
	}
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

// run wires the service and serves until ctx ends.
func run(ctx context.Context) error {
	memory.Tune(os.LookupEnv)
	cfg, err := config.LoadLocal(os.LookupEnv)
	if err != nil {
		return err
	}
	listener, err := new(net.ListenConfig).Listen(ctx, "tcp", cfg.Addr)
	if err != nil {
		if errors.Is(err, syscall.EADDRINUSE) {
			return fmt.Errorf("ADDR %s is in use by another program; try: make run ADDR=127.0.0.1:8081", cfg.Addr)
		}
		return fmt.Errorf("listen on ADDR %s: %w", cfg.Addr, err)
	}
	parts, err := newParts(cfg, os.Stderr)
	if err != nil {
		return errors.Join(err, listener.Close())
	}
	fmt.Print(banner(cfg, listener.Addr().String()))
	return serve(ctx, cfg, parts, listener)
}

const (
	// readTime is how long a request may take to arrive, header and body
	// together: a client that stops halfway would hold its connection and its
	// part of the body. A call may take longer once its body has been read.
	readTime = 10 * time.Second
	// idleTime is how long a connection is kept between two requests.
	idleTime = 2 * time.Minute
)

func newServer(handler http.Handler) *http.Server {
	return &http.Server{Handler: handler, ReadTimeout: readTime, IdleTimeout: idleTime}
}

// serve serves calls and runs the pump until ctx ends, then finishes calls and
// attempts in flight.
func serve(ctx context.Context, cfg config.Local, s *parts, listener net.Listener) error {
	server := newServer(s.handler)
	served := make(chan error, 1)
	go func() { served <- server.Serve(listener) }()
	pumping, stopPump := context.WithCancel(context.WithoutCancel(ctx))
	defer stopPump()
	pumped := make(chan struct{})
	go func() { defer close(pumped); s.pump.Run(pumping) }()

	var err error
	select {
	case <-ctx.Done():
	case err = <-served:
	}
	closing, cancel := context.WithTimeout(context.WithoutCancel(ctx), cfg.ShutdownTimeout)
	defer cancel()
	err = errors.Join(err, server.Shutdown(closing))
	stopPump()
	<-pumped
	return errors.Join(err, s.db.Close())
}
