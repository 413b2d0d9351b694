"""Networks that int8 finds hard, made from the shared ImageNet backbone."""
