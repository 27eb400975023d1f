"""The target `aws`: what an environment needs in an account, as CloudFormation templates in an order that works."""
