package httpx

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"strconv"
	"time"

	"github.com/stanch-soar/stanch/integrations"
)

// EventHeader names, in every request of Stanch's own to a receiver, what it is. A request
// with it is no alert: two systems that tell each other of everything would never end.
const EventHeader = "Stanch-Event"

// Signature is the header value that signs a request, incoming and outgoing
// alike: the time, and the [Sum].
func Signature(secret integrations.Secret, at time.Time, body []byte) string {
	return "t=" + strconv.FormatInt(at.Unix(), 10) + ",v1=" + Sum(secret, at, body)
}

// Sum is the hexadecimal HMAC-SHA256 of "seconds since 1970.body": with the time
// in it, a signed request cannot be sent again later.
func Sum(secret integrations.Secret, at time.Time, body []byte) string {
	mac := hmac.New(sha256.New, []byte(secret.Reveal()))
	mac.Write(strconv.AppendInt(nil, at.Unix(), 10))
	mac.Write([]byte{'.'})
	mac.Write(body)
	return hex.EncodeToString(mac.Sum(nil))
}
