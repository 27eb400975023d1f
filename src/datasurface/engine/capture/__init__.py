"""How each kind of capture fills staging."""
