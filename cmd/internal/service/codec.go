package service

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"slices"

	"github.com/stanch-soar/stanch/cmd/internal/codec"
	"github.com/stanch-soar/stanch/cmd/internal/config"
	"github.com/stanch-soar/stanch/integrations"
	"github.com/stanch-soar/stanch/playbooks/incident"
)

// ErrNoReader is that nobody could use a codec server.
var ErrNoReader = errors.New("nobody has a token and the right read")

// Codec returns a codec server with the configured keys. It lets in the people who may
// read, and, where it is not empty, who has a token of the server's own.
func Codec(c *config.Config, own integrations.Secret, origin string, log *slog.Logger) (http.Handler, error) {
	reach, err := reachOf(c, log)
	if err != nil {
		return nil, err
	}
	o := codec.Options{Tokens: map[string][sha256.Size]byte{}, Origin: origin, Log: log}
	if o.Codecs, err = reach.Codecs(); err != nil {
		return nil, err
	}
	for _, p := range c.People {
		person, err := receiverPerson(c, p)
		if err != nil {
			return nil, err
		}
		if len(person.TokenSHA256) == sha256.Size && slices.Contains(person.May, incident.MayRead) {
			o.Tokens["person "+p.ID] = [sha256.Size]byte(person.TokenSHA256)
		}
	}
	if own != "" {
		o.Tokens["token of the codec server"] = sha256.Sum256([]byte(own.Reveal()))
	}
	if len(o.Tokens) == 0 {
		return nil, fmt.Errorf("serve a codec: %w", ErrNoReader)
	}
	return codec.New(o), nil
}
