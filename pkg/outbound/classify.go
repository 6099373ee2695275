package outbound

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"io"
	"net"
	"syscall"

	"github.com/posthaste-dev/posthaste/pkg/webhook"
)

// failed returns the result of an attempt that got no response.
func failed(ctx context.Context, err error, seen *connection) webhook.Result {
	result := webhook.Result{Error: classify(ctx, err, seen)}
	if result.Error == webhook.AttemptTLS {
		result.Detail = tlsDetail(err)
	}
	return result
}

// tlsDetail says what kept a TLS handshake from succeeding; "" for a cause that
// is not on the list, such as an alert.
func tlsDetail(err error) webhook.AttemptDetail {
	var (
		invalid x509.CertificateInvalidError
		name    x509.HostnameError
		issuer  x509.UnknownAuthorityError
		record  tls.RecordHeaderError
	)
	switch {
	case errors.As(err, &invalid) && invalid.Reason == x509.Expired:
		return webhook.DetailExpired
	case errors.As(err, &name):
		return webhook.DetailWrongName
	case errors.As(err, &issuer):
		return webhook.DetailUnknownIssuer
	case errors.As(err, &record) && record.Conn != nil: // the first record
		return webhook.DetailNotTLS
	}
	return ""
}

// classify names the failure of an attempt that got no response. It looks only
// at error types: messages change, and they hold the target's URL. seen is nil
// if no connection was made.
func classify(ctx context.Context, err error, seen *connection) webhook.AttemptError {
	var (
		lookup    *lookupError
		handshake *handshakeError
		network   net.Error
	)
	switch {
	case errors.Is(err, ErrBlocked):
		return webhook.AttemptBlocked
	case errors.Is(ctx.Err(), context.DeadlineExceeded), errors.Is(err, context.DeadlineExceeded):
		return webhook.AttemptTimeout
	case errors.Is(ctx.Err(), context.Canceled):
		return webhook.AttemptInternal // ours, not the target's
	case errors.As(err, &lookup):
		return webhook.AttemptDNS
	case errors.As(err, &network) && network.Timeout():
		return webhook.AttemptTimeout
	case errors.As(err, &handshake):
		return webhook.AttemptTLS
	case errors.Is(err, syscall.ECONNREFUSED), errors.Is(err, syscall.EHOSTUNREACH), errors.Is(err, syscall.ENETUNREACH):
		return webhook.AttemptRefused
	case errors.Is(err, syscall.ECONNRESET), errors.Is(err, syscall.EPIPE), errors.Is(err, io.ErrUnexpectedEOF):
		return webhook.AttemptReset
	case seen == nil:
		return webhook.AttemptInternal
	case seen.received() == 0:
		return webhook.AttemptReset
	case seen.received() >= maxResponseHeader:
		return webhook.AttemptTooLarge
	}
	return webhook.AttemptProtocol
}
