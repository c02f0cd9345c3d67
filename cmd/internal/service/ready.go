package service

import "context"

// ready is nil while alerts can be taken.
func (s *Service) ready(ctx context.Context) error {
	if s.server != nil {
		if err := s.server.Check(); err != nil {
			return err
		}
	}
	return s.engine.Ready(ctx)
}
