package command

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"errors"

	"github.com/spf13/cobra"

	"github.com/stanch-soar/stanch/cmd/internal/term"
)

// tokenOptions are the flags of token.
type tokenOptions struct {
	streams
	output outputFlag
}

func newToken(s streams) *cobra.Command {
	o := &tokenOptions{streams: s}
	c := &cobra.Command{
		Use: "token", Short: "Make a person's token, and the digest that stanch.yaml keeps of it", Args: cobra.NoArgs,
		Long: `Makes a random token. The person keeps the token; stanch.yaml gets its digest as
token_sha256 of the person. It is shown once and stored nowhere.`,
		Example: "  stanch token",
		RunE:    func(*cobra.Command, []string) error { return o.run() },
	}
	o.output.addTo(c)
	return c
}

// madeToken is a new token.
type madeToken struct {
	Token       string `json:"token"`
	TokenSHA256 string `json:"token_sha256"`
}

func (o *tokenOptions) run() error {
	var random [32]byte
	// It cannot fail: the process ends if there is no randomness.
	_, _ = rand.Read(random[:])
	// Scanners for leaked secrets recognise the prefix.
	made := madeToken{Token: "stanch_" + base64.RawURLEncoding.EncodeToString(random[:])}
	sum := sha256.Sum256([]byte(made.Token))
	made.TokenSHA256 = hex.EncodeToString(sum[:])
	return o.output.print(o.streams, made, func(*term.Printer) error {
		return errors.Join(o.say("token:        %s", made.Token), o.say("token_sha256: %s", made.TokenSHA256))
	})
}
