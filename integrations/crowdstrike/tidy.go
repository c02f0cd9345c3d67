package crowdstrike

import (
	"context"
	"time"
)

// tidy makes a call that ends something at Falcon, also when whoever began it has given
// up. Its failure is no loss: Falcon ends idle searches and sessions by itself.
func (f *Falcon) tidy(ctx context.Context, c call) {
	const within = 10 * time.Second
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), within)
	defer cancel()
	_, _ = f.send(ctx, c, nil)
}
