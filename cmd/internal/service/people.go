package service

import (
	"encoding/hex"
	"fmt"

	"github.com/stanch-soar/stanch/cmd/internal/config"
	"github.com/stanch-soar/stanch/cmd/internal/receiver"
)

// receiverPerson is a person as the receiver knows them. Without a token
// nobody can speak as them.
func receiverPerson(p config.Person) (receiver.Person, error) {
	sum, err := hex.DecodeString(p.TokenSHA256)
	if err != nil {
		return receiver.Person{}, fmt.Errorf("person %s: token_sha256: %w", p.ID, err)
	}
	return receiver.Person{Person: p.IncidentPerson(), TokenSHA256: sum}, nil
}
