package outbound

import (
	"crypto/tls"

	"github.com/posthaste-dev/posthaste/pkg/bytecache"
)

const (
	maxSessionBytes = 8 << 20  // of TLS sessions to resume
	oneSessionBytes = 64 << 10 // of one: a target chooses the size of its ticket and certificates
)

// sessions remembers TLS sessions by host, as tls.NewLRUClientSessionCache does,
// up to a number of bytes.
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
// remembered: the next connection makes a whole handshake.
func (s sessions) Put(host string, session *tls.ClientSessionState) {
	size := sessionBytes(session)
	if size == 0 || size > oneSessionBytes {
		s.held.Delete(host, struct{}{})
		return
	}
	s.held.Put(host, struct{}{}, session, len(host)+size)
}

// sessionBytes is about what a session takes: its certificates lie in it as they
// came and as they were read. 0: there is none.
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
