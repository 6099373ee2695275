package outbound

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"io"
	"net"
	"syscall"

	"github.com/posthaste-dev/posthaste/pkg/failure"
	"github.com/posthaste-dev/posthaste/pkg/webhook"
)

// failed returns the result of an attempt that got no response.
func failed(ctx context.Context, err error, seen *connection) webhook.Result {
	result := webhook.Result{Error: classify(ctx, err, seen)}
	if result.Error == failure.TLS {
		result.Detail = tlsDetail(err)
	}
	return result
}

// tlsDetail says what kept a TLS handshake from succeeding; "" for a cause that
// is not on the list, such as an alert.
func tlsDetail(err error) failure.Detail {
	var (
		invalid x509.CertificateInvalidError
		name    x509.HostnameError
		issuer  x509.UnknownAuthorityError
		record  tls.RecordHeaderError
	)
	switch {
	case errors.As(err, &invalid) && invalid.Reason == x509.Expired:
		return failure.Expired
	case errors.As(err, &name):
		return failure.WrongName
	case errors.As(err, &issuer):
		return failure.UnknownIssuer
	case errors.As(err, &record) && record.Conn != nil: // the first record
		return failure.NotTLS
	}
	return ""
}

// classify names the failure of an attempt that got no response. It looks only
// at error types: messages change, and they hold the target's URL. seen is nil
// if no connection was made.
func classify(ctx context.Context, err error, seen *connection) failure.Kind {
	var (
		lookup    *lookupError
		handshake *handshakeError
		network   net.Error
	)
	switch {
	case errors.Is(err, ErrBlocked):
		return failure.Blocked
	case errors.Is(ctx.Err(), context.DeadlineExceeded), errors.Is(err, context.DeadlineExceeded):
		return failure.Timeout
	case errors.Is(ctx.Err(), context.Canceled):
		return failure.Internal // ours, not the target's
	case errors.As(err, &lookup):
		return failure.DNS
	case errors.As(err, &network) && network.Timeout():
		return failure.Timeout
	case errors.As(err, &handshake):
		return failure.TLS
	case errors.Is(err, syscall.ECONNREFUSED), errors.Is(err, syscall.EHOSTUNREACH), errors.Is(err, syscall.ENETUNREACH):
		return failure.Refused
	case errors.Is(err, syscall.ECONNRESET), errors.Is(err, syscall.EPIPE), errors.Is(err, io.ErrUnexpectedEOF):
		return failure.Reset
	case seen == nil:
		return failure.Internal
	case seen.received() == 0:
		return failure.Reset
	case seen.received() >= maxResponseHeader:
		return failure.TooLarge
	}
	return failure.Protocol
}
