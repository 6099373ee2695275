package outbound

import (
	"crypto/tls"

	"github.com/posthaste-dev/posthaste/pkg/bytecache"
)

const (
	maxSessionBytes = 8 << 20  // of resumable TLS sessions
	oneSessionBytes = 64 << 10 // of one session: the target chooses the size of its ticket and certificates
)

// sessions caches TLS sessions by host, like tls.NewLRUClientSessionCache, but
// bounded in bytes.
type sessions struct {
	held *bytecache.Cache[struct{}, *tls.ClientSessionState] // by host
}

func newSessions() sessions {
	return sessions{held: bytecache.New[struct{}, *tls.ClientSessionState](maxSessionBytes)}
}

// Get implements tls.ClientSessionCache.
func (s sessions) Get(host string) (*tls.ClientSessionState, bool) {
	return s.held.Get(host, struct{}{})
}

// Put implements tls.ClientSessionCache. A session that is too large is not
// kept: the next connection makes a full handshake.
func (s sessions) Put(host string, session *tls.ClientSessionState) {
	size := sessionBytes(session)
	if size == 0 || size > oneSessionBytes {
		s.held.Delete(host, struct{}{})
		return
	}
	s.held.Put(host, struct{}{}, session, len(host)+size)
}

// sessionBytes estimates the memory of a session, which holds its certificates
// both raw and parsed. It returns 0 if there is no session.
func sessionBytes(session *tls.ClientSessionState) int {
	if session == nil {
		return 0
	}
	ticket, state, err := session.ResumptionState()
	if err != nil || state == nil {
		return 0
	}
	stored, err := state.Bytes()
	if err != nil {
		return 0
	}
	return len(ticket) + 2*len(stored)
}
