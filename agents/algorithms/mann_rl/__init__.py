"""MANN-RL (Barrett, *Learning to Remember*): a memory that is learnt by Q-learning."""
