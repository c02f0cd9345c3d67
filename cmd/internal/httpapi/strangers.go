package httpapi

import (
	"net/http"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"time"

	"golang.org/x/time/rate"

	"github.com/stanch-soar/stanch/cmd/internal/metrics"
)

// The doors at which a credential is asked for.
const (
	doorSource = "source"
	doorPerson = "person"
)

const (
	// refusedAtOnce wrong credentials of one address are answered as such and
	// logged, then one every refusedEvery; more are throttled.
	refusedAtOnce = 100
	refusedEvery  = time.Second
	// addressesKept bounds the addresses that are counted one by one.
	addressesKept = 4096
)

// refusals limits the rate of answers to wrong credentials, by the address that they
// come from. It is asked after a credential was found wrong, so it never refuses a
// right one.
type refusals struct {
	now func() time.Time

	mu        sync.Mutex
	addresses map[netip.Addr]*rate.Limiter
	swept     time.Time
	// others is for those that are not counted one by one.
	others *rate.Limiter
}

func newRefusals(now func() time.Time) *refusals {
	return &refusals{now: now, addresses: map[netip.Addr]*rate.Limiter{}, others: newRefusal()}
}

func newRefusal() *rate.Limiter { return rate.NewLimiter(rate.Every(refusedEvery), refusedAtOnce) }

// throttled counts a wrong credential, and reports whether there were too many
// of its address.
func (r *refusals) throttled(address netip.Addr) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	now := r.now()
	limit := r.addresses[address]
	if limit == nil {
		limit = r.others
		if r.forget(now); len(r.addresses) < addressesKept {
			limit = newRefusal()
			r.addresses[address] = limit
		}
	}
	return !limit.AllowN(now, 1)
}

// forget drops the addresses that have been quiet, when there are many.
func (r *refusals) forget(now time.Time) {
	if len(r.addresses) < addressesKept || now.Sub(r.swept) < refusedEvery {
		return
	}
	r.swept = now
	for address, limit := range r.addresses {
		if limit.TokensAt(now) >= refusedAtOnce {
			delete(r.addresses, address)
		}
	}
}

// client is the address of whoever sends a request: the peer's, unless that is a
// trusted proxy. Then it is the last of X-Forwarded-For that is none: what stands before
// it, anybody may have written. It is not valid where that is no address.
func (r *Receiver) client(req *http.Request) netip.Addr {
	peer, err := netip.ParseAddrPort(req.RemoteAddr)
	if err != nil {
		return netip.Addr{}
	}
	address := plainAddress(peer.Addr())
	hops := strings.Split(strings.Join(req.Header.Values("X-Forwarded-For"), ","), ",")
	for i := len(hops) - 1; i >= 0 && r.trusted(address); i-- {
		hop := strings.TrimSpace(hops[i])
		if hop == "" && len(hops) == 1 {
			// The proxy says nothing.
			break
		}
		if address, err = hopAddress(hop); err != nil {
			return netip.Addr{}
		}
	}
	return address
}

// hopAddress reads an entry of X-Forwarded-For; some proxies write the port too.
func hopAddress(hop string) (netip.Addr, error) {
	if with, err := netip.ParseAddrPort(hop); err == nil {
		return plainAddress(with.Addr()), nil
	}
	address, err := netip.ParseAddr(hop)
	return plainAddress(address), err
}

func (r *Receiver) trusted(proxy netip.Addr) bool {
	return slices.ContainsFunc(r.TrustedProxies, func(n netip.Prefix) bool { return n.Contains(proxy) })
}

func plainAddress(a netip.Addr) netip.Addr { return a.Unmap().WithZone("") }

// counted is what the wrong credentials of an address are counted by: of IPv6 the
// network, of which a client has all.
func counted(address netip.Addr) netip.Addr {
	if address.Is6() {
		network, err := address.Prefix(64)
		if err == nil {
			return network.Addr()
		}
	}
	return address
}

// refuse answers a wrong credential: all alike, regardless of the reason. Door
// is the door that was tried, and why is for the log alone.
func (r *Receiver) refuse(req *http.Request, door string, why error, text string) *problem {
	address := counted(r.client(req))
	p := fail(http.StatusUnauthorized, "unauthorized", "%s", text)
	if r.refusals.throttled(address) {
		p = fail(http.StatusTooManyRequests, "throttled", "too many wrong credentials: send it again later")
		p.retry = refusedEvery
	} else {
		r.Log.WarnContext(req.Context(), "a request was refused", "door", door, "path", req.URL.Path, "from", address.String(), "error", why)
	}
	r.Metrics.Add(metrics.Refused, 1, door, p.Kind)
	p.hangUp = true
	return p
}
