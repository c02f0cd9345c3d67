package sqsfake

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"io"
	"net/http"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"
)

// Signed passes on to next what is signed with a key for SQS in a region, and refuses the rest.
func Signed(region, keyID, secret string, next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(io.LimitReader(r.Body, 1<<20))
		if err != nil {
			return // The client is gone.
		}
		keys := aws.Credentials{AccessKeyID: keyID, SecretAccessKey: secret}
		if bad := verify(keys, region, r, body); bad != nil {
			Refuse(w, bad.status, bad.code, bad.text)
			return
		}
		r.Body = io.NopCloser(bytes.NewReader(body))
		next.ServeHTTP(w, r)
	})
}

// verify checks the signature of a request, by signing it anew.
func verify(keys aws.Credentials, region string, r *http.Request, body []byte) *refusal {
	given := r.Header.Get("Authorization")
	at, err := time.Parse("20060102T150405Z", r.Header.Get("X-Amz-Date"))
	_, rest, signed := strings.Cut(given, "SignedHeaders=")
	if err != nil || !signed || time.Since(at).Abs() > 5*time.Minute {
		return &refusal{http.StatusForbidden, "IncompleteSignature", "The request is not signed."}
	}
	names, _, _ := strings.Cut(rest, ",")
	again, err := http.NewRequestWithContext(context.Background(), r.Method, "http://"+r.Host+r.URL.RequestURI(), bytes.NewReader(body))
	if err != nil {
		return invalid("InvalidAction", "%v", err)
	}
	again.ContentLength = 0
	for name := range strings.SplitSeq(names, ";") {
		switch name {
		case "host":
		case "content-length":
			again.ContentLength = r.ContentLength
		default:
			again.Header[http.CanonicalHeaderKey(name)] = r.Header.Values(name)
		}
	}
	sum := sha256.Sum256(body)
	if err := v4.NewSigner().SignHTTP(context.Background(), keys, again, hex.EncodeToString(sum[:]), "sqs", region, at); err != nil {
		return invalid("InvalidAction", "%v", err)
	}
	if again.Header.Get("Authorization") != given {
		return &refusal{http.StatusForbidden, "SignatureDoesNotMatch", "The request signature we calculated does not match the signature you provided."}
	}
	return nil
}
