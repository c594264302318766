"""What the fakes speak: each service names a request (`name`) and carries it out (`act`) under the world's one lock."""
